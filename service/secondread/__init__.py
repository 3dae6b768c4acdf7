"""A DICOM node that gives follow-up mammograms after breast-cancer treatment a second read.

The stages are folders whose alphabet is the data's way, and the order of imports: a stage
imports only stages before it.

- `accept`: C-STORE / C-ECHO SCP. Success is said when the instance is durable.
- `assemble`: the header read and typed, instances grouped to studies, what is in scope and why.
- `detect`: stored values to marks, in a supervised child process.
- `findings`: marks to calcification clusters with descriptors, certainty and suspicion.
- `followup`: current against prior, and where a finding lies in the treated breast.
- `report`: Mammography CAD SR (TID 4000) and secondary captures, in memory.
- `send`: C-STORE SCU, destination by destination.
- `track`: the SQL database: what is true about every study.
- `watch`: health, metrics and the operations pages.

Below all stages stand `clock`, `codes`, `errors`, `geometry`, `log`, `metrics`, `reasons` and
`settings`; above them `reading` (a study's images to its result objects, without I/O),
`workflow` (the durable order of steps), `app` (the one place that puts implementations
together) and `cli`.
"""

__version__ = "0.1.0"
