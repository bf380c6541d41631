-- Why each worker waits; a report counts as long as its worker's lease.

CREATE TABLE worker_reports (
    worker_id text PRIMARY KEY REFERENCES workers ON DELETE CASCADE,
    report json NOT NULL,
    reported_at timestamptz NOT NULL
);
COMMENT ON TABLE worker_reports IS
    'One row per worker, renewed every few seconds: backlog and cause of waiting of each partition that it holds.';
