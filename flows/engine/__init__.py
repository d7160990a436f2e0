"""The stage engine: finds what is still to do, cuts it into batches, hands each to a Prefect task, commits what came of it.

`pending` is the anti-join, `queue` cuts batches, `batch` is what a worker does with one, `prefect_task` the Prefect task round
it, `pools` where they run, `server` the Prefect server that goes with a run, `loop` the order of it all, `merging` keeps
files few.
"""
