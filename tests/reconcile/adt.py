"""HL7 v2 messages written by hand for the tests, after chapter 3 of the standard."""


def adt(trigger: str, at: str, *segments: str, sent: str = "20200101", control: str = "1", charset: str = "") -> bytes:
    """An ADT message; `at` is EVN-2. Text in the codec that `charset` (MSH-18) stands for here."""
    heading = rf"MSH|^~\&|ADT|HOSP|FILMROOM|HOSP|{sent}||ADT^{trigger}|{control}|P|2.5||||||{charset}"
    codec = {"8859/1": "latin-1", "8859/2": "iso8859-2", "UNICODE UTF-8": "utf-8"}.get(charset, "utf-8")
    return "\r".join([heading, f"EVN|{trigger}|{at}", *segments, ""]).encode(codec)


def pid(number: str, name: str = "", birth: str = "", sex: str = "", *, external: str = "", more: str = "") -> str:
    """PID-2, 3, 5, 7 and 8; a number without an issuer is one of STE."""
    numbers = "~".join(one if "^" in one else f"{one}^^^STE^MR" for one in number.split("~"))
    return f"PID|1|{external}|{numbers}||{name}||{birth}|{sex}{more}"
