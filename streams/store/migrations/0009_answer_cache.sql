-- The answer cache, and what it spared.

CREATE TABLE answer_cache (
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
    tenant text NOT NULL,
    recipe text NOT NULL,
    step text NOT NULL,
    text text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    response_model text,
    simulated boolean NOT NULL,
    usage json NOT NULL,
    cost_usd numeric NOT NULL CHECK (cost_usd >= 0),
    answered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    kept_until timestamptz NOT NULL
);
CREATE INDEX answer_cache_kept_until ON answer_cache (kept_until);
CREATE INDEX answer_cache_tenant ON answer_cache (tenant, recipe);
COMMENT ON TABLE answer_cache IS
    'Valid answers that the same question of the same tenant is given again. Rows may be deleted at any time.';
COMMENT ON COLUMN answer_cache.digest IS 'sha256 over tenant, recipe version, step, model, settings and prompt.';
COMMENT ON COLUMN answer_cache.expires_at IS 'Until then it is given in place of a call.';
COMMENT ON COLUMN answer_cache.kept_until IS
    'Until then it may stand in, marked as stale; then one of the next writes deletes it.';

ALTER TABLE model_calls ADD COLUMN cache text CHECK (cache IN ('hit', 'stale', 'miss'));
ALTER TABLE model_calls ADD COLUMN saved_usd numeric NOT NULL DEFAULT 0;
COMMENT ON COLUMN model_calls.cache IS
    'What the answer cache had: hit and stale cost nothing; NULL: it was not asked, or there is no answer.';
COMMENT ON COLUMN model_calls.saved_usd IS 'What the answer of the cache cost when it was bought.';

CREATE OR REPLACE VIEW public_model_calls AS
SELECT revision, step, attempt, state, task_id, submission_id, batch_id, tenant, team, feature, recipe,
       provider, model, simulated, cost_max_usd, coalesce(cost_usd, cost_max_usd) AS cost_booked_usd, cost_usd,
       input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning, usage_estimated,
       finish_reason, error, opened_at, closed_at, latency_s, degraded_by, first_token_s,
       response_model, fallback_from, fallback_reason, cache, saved_usd
FROM model_calls;

CREATE VIEW public_answer_cache AS
SELECT tenant, recipe, step, simulated,
       count(*) FILTER (WHERE cache = 'hit') AS hits,
       count(*) FILTER (WHERE cache = 'stale') AS stale,
       count(*) FILTER (WHERE cache = 'miss') AS misses,
       round(count(*) FILTER (WHERE cache <> 'miss') / count(*)::numeric, 4) AS hit_ratio,
       sum(saved_usd) AS saved_usd
FROM model_calls WHERE cache IS NOT NULL
GROUP BY tenant, recipe, step, simulated;
COMMENT ON VIEW public_answer_cache IS 'What the answer cache spared, by step of each recipe version.';

-- What came from the cache is booked on no budget: no counter is locked for it.
CREATE OR REPLACE FUNCTION book_opened_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM budget_windows) THEN
        RETURN NULL;
    END IF;
    INSERT INTO budget_counters AS c (scope, period, started_at, name, simulated, settled_usd, reserved_usd)
    SELECT l.scope, l.period, l.started_at, l.name, n.simulated,
           sum(coalesce(n.cost_usd, 0)), sum(CASE WHEN n.state = 'open' THEN n.cost_max_usd ELSE 0 END)
    FROM new_calls AS n
    CROSS JOIN LATERAL budget_lines(n.tenant, n.team, n.feature, n.batch_id, n.task_id, n.opened_at) AS l
    WHERE n.cache IS NULL
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (scope, period, started_at, name, simulated) DO UPDATE
    SET settled_usd = c.settled_usd + excluded.settled_usd,
        reserved_usd = c.reserved_usd + excluded.reserved_usd;
    RETURN NULL;
END
$$;

ALTER TABLE tasks ADD COLUMN cache_hits integer NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN saved_usd numeric NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW public_tasks AS
SELECT submission_id, task_id, batch_id, nullif(row_number, 0) AS row, recipe, tenant, stage,
       state::text AS state, CASE WHEN state >= 'published' THEN state::text END AS outcome,
       reason, title, url, score, findings, calls, input_tokens, output_tokens, cost_usd, replay,
       accepted_at, updated_at, cache_hits, saved_usd
FROM tasks;

CREATE OR REPLACE VIEW public_batches AS
SELECT b.batch_id, b.recipe_name, b.recipe_version, b.tenant, b.source, b.source_digest, b.lane, b.created_at, b.finished_at,
       b.rows_total, b.rows_sent, t.accepted, t.finished, t.in_review, t.published, t.unchanged, t.rejected,
       t.dead_lettered, t.cancelled, t.expired, t.states, t.calls, t.input_tokens, t.output_tokens, t.cost_usd,
       b.rows_total - b.rows_sent AS balance_unsent,
       b.rows_sent - t.accepted AS balance_unaccepted,
       t.accepted - t.finished - t.in_review AS balance_under_way,
       t.cache_hits, t.saved_usd
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
           coalesce(sum(cost_usd), 0) AS cost_usd,
           coalesce(sum(cache_hits), 0)::bigint AS cache_hits,
           coalesce(sum(saved_usd), 0) AS saved_usd
    FROM (
        SELECT state, count(*) AS tasks, sum(calls) AS calls, sum(input_tokens) AS input_tokens,
               sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd,
               sum(cache_hits) AS cache_hits, sum(saved_usd) AS saved_usd
        FROM tasks WHERE tasks.batch_id = b.batch_id GROUP BY state
    ) by_state
) t;
