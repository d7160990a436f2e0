"""Reconcile: which objects belong to one study, whose the study is, and what the final headers say.

`assemble` groups, `stage` asks the patient index (`index`, `candidates`), judges (`policy`) and composes the final headers
(`header`). A wrong patient is the worst outcome there is, so whatever is not proved goes to a person.
"""
