"""The watch's long-lived run."""

from runtime.long_lived import LongLived
from workflows.watch import NAME, SUMMARY

WATCH = LongLived(NAME, "watch", SUMMARY)
watch_id = WATCH.id
start_watch = WATCH.start
keep_watch = WATCH.keep
