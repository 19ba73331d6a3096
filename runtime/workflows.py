"""Every workflow of ours: what a worker runs, and whose runs are looked at for what was done to them by hand."""

from workflows.reconcile import Reconcile
from workflows.retain import Retain
from workflows.seal import Seal
from workflows.user_lifecycle import UserLifecycle
from workflows.watch import Watch

WORKFLOWS = (UserLifecycle, Watch, Seal, Reconcile, Retain)
