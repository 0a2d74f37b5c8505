"""The peer of the jobs' bench: an ordinary Celery application with Redis as
broker and result store, and the tasks that the worker of ours has, too."""
import os
import time

from celery import Celery

URL = os.environ["BENCH_CELERY_URL"]
app = Celery("bench", broker=URL, backend=URL)


@app.task(name="test.noop")
def noop():
    pass


@app.task(name="test.now")
def now():
    """When it began, in microseconds since 1970."""
    return int(time.time() * 1e6)
