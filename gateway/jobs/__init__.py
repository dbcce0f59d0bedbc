"""Background work that survives its worker: rows with lease, progress and named steps.

A job runs a flow, a list of named steps. A worker claims a job by compare-and-set, renews its lease while a step runs, and
records each completed step with what later steps need of it. A worker that dies loses its lease, and another goes on after the
last recorded step; the step that was running is run again, and so every step is idempotent.
"""
