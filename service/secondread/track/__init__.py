"""The SQL database: what is true about every study.

`states` holds the tables of transitions, `tables` the SQL tables and how a row becomes a value,
`migrations` their history. `tracker.Tracker` is the whole as other stages get it, made of one part
for each concern:

- `receiver_ledger`: an instance arrives, and moves the due times of its study.
- `studies`: due studies are claimed as revisions, held back, requested, given up; `study_rows`
  finds and changes rows.
- `prior_choice`, `revision_triggers`: which priors a revision is made with, and what makes a study
  that was read due again.
- `fetch_requests`: what archives are asked for; `fetch_rows` changes one row.
- `results`: a reading's findings and objects, written once, with the deliveries of the objects.
- `deliveries`, `proofs`, `destinations`: what waits for which destination, what proves that it
  arrived, and whether it may leave; `delivery_rows` changes one row.
- `patients`, `treatments`, `lesions`, `cad_reports`: what spans several studies of a patient.
- `operations`: processes, alarms, refusals.
- `node_queries`, `study_queries`: what pages, commands and gauges show, as values of `summaries`.

Each method that writes is one transaction and takes the present instant; repeating it does no
harm. The driver's errors are translated in `database`.
"""
