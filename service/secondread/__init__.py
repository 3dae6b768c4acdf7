"""A DICOM node that gives follow-up mammograms after breast-cancer treatment a second read.

The stages are folders in the order in which data pass through them, which is also the order of
their names and of imports: a stage imports only stages before it.

- `accept`: C-STORE / C-ECHO SCP. Success is answered once the instance is durable.
- `assemble`: headers as typed values, when a study is due, what is in scope and why.
- `detect`: stored values to marks, in a supervised child process.
- `findings`: marks to calcification clusters with descriptors, certainty and suspicion.
- `followup`: current against prior, and where a finding lies in the treated breast.
- `report`: Mammography CAD SR (TID 4000) and secondary captures, in memory.
- `send`: results to destinations, and priors from archives (C-STORE, C-FIND, C-MOVE, C-GET SCU).
- `track`: the SQL database with the state of every study.
- `watch`: health, metrics and the operations pages.

Below all stages:

- `certificates`: files of certificates, and when what is in them expires.
- `audit`: the events of the audit trail, as messages after PS3.15.
- `clock`: the one place that reads the wall clock.
- `codes`: every coded concept that is read or written.
- `counter_files`: where the processes of a node count together.
- `data_set_parser`: an encoded data set to decoded attributes, bounded and tolerant.
- `dicom_files`: the one place where DICOM files are opened.
- `element_values`: values of elements, decoded at once and by what they plainly are.
- `errors`: the error tree, split by what happens next.
- `files`: files that are written whole or not at all.
- `geometry`: points, spacings and outlines, in pixels and in millimetres.
- `guard`: what a process writes when nobody decides: no tracebacks, no core, private files.
- `log`: structured logs without patient data.
- `log_odds`: probabilities as log odds.
- `metrics`: counters and histograms.
- `reasons`: coded reasons for what was not read, and outcomes.
- `settings`: the settings, read once from a file and the environment.
- `settings_faults`: what is wrong with settings, in words of ours, all of it at once.
- `tls`: DICOM over TLS: contexts, taken up anew when files change, and words for failures.
- `uids`: what counts as a UID, of others and of our own.

Above them:

- `reading`: a study's images, detected and described, as one value; no input or output.
- `offline`: the same reading of files in a folder, without network or database.
- `engine`: durable workflows; the only module that knows DBOS.
- `workflow`: the durable steps of a reading, and their order.
- `app`: the processes of a node, and the one place that puts implementations together.
- `demo`: a node and a small archive on one machine, for a first look.
- `cli`: the commands.

The laboratory, which simulates exams and judges models, is the package `secondread_lab`.
"""

__version__ = "0.1.0"
