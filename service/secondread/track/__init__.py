"""The SQL database: what is true about every study.

`states` holds the tables of transitions, `tables` the SQL tables, `migrations` their history.
`tracker.Tracker` is the whole as other stages get it, made of one part for each concern:

- `intake`: the receiver's ledger; an instance arrives, and `assembly` says when its study is due.
- `studies`: due studies are claimed as revisions, held back, requested, given up.
- `results`: a reading's findings and objects, written once; deliveries are put up.
- `deliveries`, `proofs`, `destinations`: what waits for whom, what proves that it is there, and
  whether it may leave.
- `treatments`, `processes`, `alarms`, `refusals`: what else is known.
- `queries`, `study_queries`: what pages, commands and gauges show, as the values of `summaries`.

Each method that writes is one transaction and takes the present instant; repeating it does no
harm. The driver's errors are translated in `database`.
"""
