-- Everything that must be asked about. PostgreSQL 15 or later, no extension.

CREATE TABLE workers (
    worker_id text PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    stages text[] NOT NULL,
    started_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL
);
COMMENT ON TABLE workers IS
    'One row per worker process. A worker is alive while its lease has not ended by the clock of this database.';

CREATE FUNCTION worker_is_live(worker text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM workers WHERE worker_id = worker AND lease_until > now())
$$;
COMMENT ON FUNCTION worker_is_live(text) IS 'Whether that worker holds a lease now.';


CREATE TABLE model_calls (
    revision text NOT NULL,
    step text NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    state text NOT NULL CHECK (state IN ('open', 'answered', 'failed', 'unknown')),
    worker_id text NOT NULL,
    task_id text NOT NULL,
    submission_id text NOT NULL,
    batch_id text,
    tenant text NOT NULL,
    team text NOT NULL,
    feature text NOT NULL,
    recipe text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    simulated boolean NOT NULL,
    cost_max_usd numeric NOT NULL CHECK (cost_max_usd >= 0),
    cost_usd numeric CHECK (cost_usd >= 0),
    input_fresh bigint NOT NULL DEFAULT 0,
    input_cache_read bigint NOT NULL DEFAULT 0,
    input_cache_write bigint NOT NULL DEFAULT 0,
    input_other bigint NOT NULL DEFAULT 0,
    output bigint NOT NULL DEFAULT 0,
    reasoning bigint NOT NULL DEFAULT 0,
    usage_estimated boolean NOT NULL DEFAULT false,
    text text,
    finish_reason text CHECK (finish_reason IN ('stop', 'length')),
    error text,
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    latency_s double precision,
    PRIMARY KEY (revision, step, attempt),
    CHECK ((state = 'open') = (cost_usd IS NULL)),
    CHECK ((state = 'answered') = (text IS NOT NULL))
);
CREATE INDEX model_calls_batch ON model_calls (batch_id) WHERE batch_id IS NOT NULL;
COMMENT ON TABLE model_calls IS
    'Journal and ledger of paid calls. open: intent, the call may be under way; answered: paid, the answer is '
    'here; failed: not billed; unknown: maybe billed, booked at its worst case.';

CREATE TABLE publications (
    site text NOT NULL,
    task_id text NOT NULL,
    slug text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    revision text NOT NULL,
    content_hash text NOT NULL,
    url text,
    simulated boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('publishing', 'published')),
    worker_id text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, task_id),
    CONSTRAINT publications_slug UNIQUE (site, slug),
    CHECK (state = 'publishing' OR url IS NOT NULL)
);
COMMENT ON TABLE publications IS
    'What is published where, one row per page. updated_at is when the content last changed.';

CREATE TABLE publication_outcomes (
    submission_id text PRIMARY KEY,
    site text NOT NULL,
    task_id text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('published', 'unchanged')),
    url text NOT NULL,
    content_hash text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE publication_outcomes IS
    'How each submission ended at its sink: a record that comes again gets the same answer.';

CREATE TABLE page_names (
    site text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('slug', 'title')),
    value text NOT NULL,
    task_id text NOT NULL,
    PRIMARY KEY (site, kind, value)
);
CREATE INDEX page_names_task ON page_names (site, task_id);
COMMENT ON TABLE page_names IS 'Slugs and titles of a site; the first task that reserves one keeps it.';

CREATE TABLE recipes (
    name text NOT NULL,
    version text NOT NULL,
    file_names text[] NOT NULL,
    file_contents bytea[] NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version),
    CHECK (cardinality(file_names) = cardinality(file_contents))
);
COMMENT ON TABLE recipes IS 'Every version of a recipe that a task was bound to, by content; rows never change.';

CREATE TABLE batches (
    batch_id text PRIMARY KEY,
    recipe_name text NOT NULL,
    recipe_version text NOT NULL,
    tenant text NOT NULL,
    source text NOT NULL,
    source_digest text NOT NULL,
    rows_total bigint NOT NULL CHECK (rows_total >= 0),
    rows_sent bigint NOT NULL DEFAULT 0,
    lane text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK (rows_sent BETWEEN 0 AND rows_total)
);
CREATE INDEX batches_source ON batches (source_digest);
CREATE INDEX batches_newest ON batches (created_at DESC);
COMMENT ON TABLE batches IS 'Loads: one row per file that was sent as tasks.';

-- The order of the values is the order in which a task goes forward; the outcomes come last.
CREATE TYPE task_state AS ENUM (
    'accepted', 'classified', 'generated', 'validated', 'in_review',
    'published', 'unchanged', 'rejected', 'dead_lettered', 'cancelled', 'expired'
);

CREATE TABLE tasks (
    submission_id text PRIMARY KEY,
    task_id text NOT NULL,
    batch_id text,
    row_number integer NOT NULL,
    recipe text NOT NULL,
    tenant text NOT NULL,
    stage text NOT NULL,
    state task_state NOT NULL,
    reason text NOT NULL,
    title text,
    url text,
    score double precision,
    findings json NOT NULL,
    calls integer NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost_usd numeric NOT NULL,
    replay integer NOT NULL,
    inputs json NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tasks_batch ON tasks (batch_id, row_number, submission_id) WHERE batch_id IS NOT NULL;
CREATE INDEX tasks_task ON tasks (task_id);
COMMENT ON TABLE tasks IS
    'Task index: how far each submission is, or how it ended. row_number is 0 without a row. Columns of type '
    'json keep what was sent byte for byte, NUL escapes included, which jsonb refuses.';

CREATE TABLE reviews (
    submission_id text PRIMARY KEY,
    held json NOT NULL,
    reason text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    approved boolean,
    reviewer text,
    decision_reason text,
    CHECK (num_nonnulls(decided_at, approved, reviewer, decision_reason) IN (0, 4))
);
CREATE INDEX reviews_pending ON reviews (requested_at) WHERE decided_at IS NULL;
COMMENT ON TABLE reviews IS 'Pages that wait for a person, and what was decided.';

CREATE TABLE dead_letter_replays (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    replay_id text NOT NULL,
    replayed_at timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);
COMMENT ON TABLE dead_letter_replays IS 'Dead letters that were sent back: each at most once.';

CREATE VIEW public_tasks AS
SELECT submission_id, task_id, batch_id, nullif(row_number, 0) AS row, recipe, tenant, stage,
       state::text AS state, CASE WHEN state >= 'published' THEN state::text END AS outcome,
       reason, title, url, score, findings, calls, input_tokens, output_tokens, cost_usd, replay,
       accepted_at, updated_at
FROM tasks;
COMMENT ON VIEW public_tasks IS 'One row per submission; outcome is NULL while it is under way.';

CREATE VIEW public_batches AS
SELECT b.batch_id, b.recipe_name, b.recipe_version, b.tenant, b.source, b.source_digest, b.lane, b.created_at, b.finished_at,
       b.rows_total, b.rows_sent, t.*,
       b.rows_total - b.rows_sent AS balance_unsent,
       b.rows_sent - t.accepted AS balance_unaccepted,
       t.accepted - t.finished - t.in_review AS balance_under_way
FROM batches b
CROSS JOIN LATERAL (
    SELECT coalesce(sum(tasks), 0)::bigint AS accepted,
           coalesce(sum(tasks) FILTER (WHERE state >= 'published'), 0)::bigint AS finished,
           coalesce(sum(tasks) FILTER (WHERE state = 'in_review'), 0)::bigint AS in_review,
           coalesce(sum(tasks) FILTER (WHERE state = 'published'), 0)::bigint AS published,
           coalesce(sum(tasks) FILTER (WHERE state = 'unchanged'), 0)::bigint AS unchanged,
           coalesce(sum(tasks) FILTER (WHERE state = 'rejected'), 0)::bigint AS rejected,
           coalesce(sum(tasks) FILTER (WHERE state = 'dead_lettered'), 0)::bigint AS dead_lettered,
           coalesce(sum(tasks) FILTER (WHERE state = 'cancelled'), 0)::bigint AS cancelled,
           coalesce(sum(tasks) FILTER (WHERE state = 'expired'), 0)::bigint AS expired,
           coalesce(json_object_agg(state, tasks ORDER BY state) FILTER (WHERE tasks > 0), '{}') AS states,
           coalesce(sum(calls), 0)::bigint AS calls,
           coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
           coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
           coalesce(sum(cost_usd), 0) AS cost_usd
    FROM (
        SELECT state, count(*) AS tasks, sum(calls) AS calls, sum(input_tokens) AS input_tokens,
               sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
        FROM tasks WHERE tasks.batch_id = b.batch_id GROUP BY state
    ) by_state
) t;
COMMENT ON VIEW public_batches IS
    'One row per load with its counts. rows_total = finished + in_review + the three balance columns, always; '
    'a load is done when the balances are 0 and nothing is in review.';

CREATE VIEW public_model_calls AS
SELECT revision, step, attempt, state, task_id, submission_id, batch_id, tenant, team, feature, recipe,
       provider, model, simulated, cost_max_usd, coalesce(cost_usd, cost_max_usd) AS cost_booked_usd, cost_usd,
       input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning, usage_estimated,
       finish_reason, error, opened_at, closed_at, latency_s
FROM model_calls;
COMMENT ON VIEW public_model_calls IS 'The ledger, without the answers. An open call is booked at its worst case.';

CREATE VIEW public_publications AS
SELECT site, task_id, slug, title, description, revision, content_hash, url, simulated, state, updated_at
FROM publications;
COMMENT ON VIEW public_publications IS 'What is published where.';
