-- The whole path of a task, and what its model calls were heard to say of themselves.

CREATE TABLE task_events (
    submission_id text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    stage text NOT NULL,
    at timestamptz NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    replay integer NOT NULL,
    timing_s json NOT NULL,
    detail json NOT NULL,
    PRIMARY KEY (submission_id, event_id)
);
COMMENT ON TABLE task_events IS
    'What happened to each submission, one row per event; a record that is read twice is one row. stage is who '
    'made the event, timing_s what that stage''s time went into. There are no pages and no prompts here.';

ALTER TABLE model_calls ADD COLUMN first_token_s double precision;
ALTER TABLE model_calls ADD COLUMN response_model text;

CREATE OR REPLACE VIEW public_model_calls AS
SELECT revision, step, attempt, state, task_id, submission_id, batch_id, tenant, team, feature, recipe,
       provider, model, simulated, cost_max_usd, coalesce(cost_usd, cost_max_usd) AS cost_booked_usd, cost_usd,
       input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning, usage_estimated,
       finish_reason, error, opened_at, closed_at, latency_s, degraded_by, first_token_s,
       response_model
FROM model_calls;

CREATE VIEW public_task_events AS
SELECT submission_id, event_id, kind, stage, at, topic, partition, "offset", replay, timing_s, detail
FROM task_events;
COMMENT ON VIEW public_task_events IS 'What happened to each submission, in the order of `at`.';
