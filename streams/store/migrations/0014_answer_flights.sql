-- Which worker is asking what others may want to ask as well.

CREATE UNLOGGED TABLE answer_flights (
    flight text PRIMARY KEY,
    worker_id text NOT NULL,
    led_at timestamptz NOT NULL
);
COMMENT ON TABLE answer_flights IS
    'Questions that a worker is asking and whose answers will be cached: other workers wait for them. Rows may be '
    'deleted at any time; then a question may be asked twice.';
