"""Deleting in an Orthanc by its REST interface, the one thing that DICOM itself has no service for."""

import base64
import http.client
import json
import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from tasks.errors import StageBlockedError

_SECONDS = 60


def delete_in_orthanc(url: str, credentials: str, uids: Sequence[str]) -> None:
    """Deletes instances by SOP Instance UID; those that are not there are passed over.

    `credentials` names the environment variable that holds `user:password`; empty where none are needed. Raises
    `StageBlockedError` where Orthanc does not answer or refuses.
    """
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_SECONDS)
    headers = _authorization(credentials)
    try:
        for uid in uids:
            for found in json.loads(_asked(connection, "POST", f"{address.path}/tools/lookup", headers, uid)):
                if found["Type"] == "Instance":
                    _asked(connection, "DELETE", f"{address.path}/instances/{found['ID']}", headers)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise StageBlockedError(
            f"Orthanc at [target] orthanc does not delete ({type(error).__name__}): correct the address"
        ) from error
    finally:
        connection.close()


def _authorization(credentials: str) -> dict[str, str]:
    if not credentials:
        return {}
    if not os.environ.get(credentials):
        raise StageBlockedError(f"[target] credentials: the environment has no {credentials}: set it to user:password")
    return {"Authorization": f"Basic {base64.b64encode(os.environ[credentials].encode()).decode()}"}


def _asked(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: str = "") -> bytes:
    connection.request(method, path, body=body.encode() or None, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status in (401, 403):
        raise StageBlockedError(f"Orthanc refuses to delete (HTTP {answer.status}): name its user in [target] credentials")
    if answer.status not in (200, 404):
        raise StageBlockedError(f"Orthanc does not delete (HTTP {answer.status}): see its log")
    return content or b"[]"
