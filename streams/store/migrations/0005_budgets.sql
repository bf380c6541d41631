-- Budgets: counters that the ledger keeps by itself, in the transaction of each call that is opened or closed.

ALTER TABLE model_calls ADD COLUMN degraded_by text;
COMMENT ON COLUMN model_calls.degraded_by IS 'The soft budget that made the call cheaper.';
CREATE INDEX model_calls_open ON model_calls (worker_id) WHERE state = 'open';

CREATE OR REPLACE VIEW public_model_calls AS
SELECT revision, step, attempt, state, task_id, submission_id, batch_id, tenant, team, feature, recipe,
       provider, model, simulated, cost_max_usd, coalesce(cost_usd, cost_max_usd) AS cost_booked_usd, cost_usd,
       input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning, usage_estimated,
       finish_reason, error, opened_at, closed_at, latency_s, degraded_by
FROM model_calls;

CREATE TABLE budget_windows (
    scope text NOT NULL CHECK (scope IN ('tenant', 'team', 'feature', 'batch', 'task')),
    period text NOT NULL CHECK (period IN ('hour', 'day', 'week', 'month', 'total')),
    PRIMARY KEY (scope, period)
);
COMMENT ON TABLE budget_windows IS 'Which counters are kept. What is not here has to be counted from the ledger first.';

-- Many updates of few rows: room in the page lets them be updated in place.
CREATE TABLE budget_counters (
    scope text NOT NULL,
    period text NOT NULL,
    started_at timestamptz NOT NULL,
    name text NOT NULL,
    simulated boolean NOT NULL,
    settled_usd numeric NOT NULL,
    reserved_usd numeric NOT NULL,
    PRIMARY KEY (scope, period, started_at, name, simulated)
) WITH (fillfactor = 50);
COMMENT ON TABLE budget_counters IS
    'What is booked by scope and window: settled_usd is the price of closed calls, reserved_usd the worst case of '
    'open ones. Always the sum over model_calls. Simulated calls have counters of their own.';

CREATE FUNCTION budget_started_at(period text, moment timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN period = 'total' THEN to_timestamp(0) ELSE date_trunc(period, moment, 'UTC') END
$$;

CREATE FUNCTION budget_lines(
    tenant text, team text, feature text, batch_id text, task_id text, opened_at timestamptz
) RETURNS TABLE (scope text, period text, started_at timestamptz, name text)
LANGUAGE sql STABLE AS $$
    SELECT w.scope, w.period, budget_started_at(w.period, opened_at), n.name
    FROM budget_windows AS w
    JOIN (VALUES ('tenant', tenant), ('team', team), ('feature', feature), ('batch', batch_id),
                 ('task', tenant || '#' || task_id)) AS n (scope, name) ON n.scope = w.scope
    WHERE n.name IS NOT NULL
$$;
COMMENT ON FUNCTION budget_lines IS 'The counters that a call is booked on.';

-- Once for a whole statement, sorted: statements that close many calls lock counters in one order, and after
-- all rows of the ledger. So no two of them wait for each other.
CREATE FUNCTION book_opened_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM budget_windows) THEN
        RETURN NULL;
    END IF;
    INSERT INTO budget_counters AS c (scope, period, started_at, name, simulated, settled_usd, reserved_usd)
    SELECT l.scope, l.period, l.started_at, l.name, n.simulated,
           sum(coalesce(n.cost_usd, 0)), sum(CASE WHEN n.state = 'open' THEN n.cost_max_usd ELSE 0 END)
    FROM new_calls AS n
    CROSS JOIN LATERAL budget_lines(n.tenant, n.team, n.feature, n.batch_id, n.task_id, n.opened_at) AS l
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (scope, period, started_at, name, simulated) DO UPDATE
    SET settled_usd = c.settled_usd + excluded.settled_usd,
        reserved_usd = c.reserved_usd + excluded.reserved_usd;
    RETURN NULL;
END
$$;

CREATE FUNCTION book_closed_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM budget_windows) THEN
        RETURN NULL;
    END IF;
    INSERT INTO budget_counters AS c (scope, period, started_at, name, simulated, settled_usd, reserved_usd)
    SELECT l.scope, l.period, l.started_at, l.name, b.simulated, sum(b.settled_usd), sum(b.reserved_usd)
    FROM (
        SELECT tenant, team, feature, batch_id, task_id, opened_at, simulated, coalesce(cost_usd, 0) AS settled_usd,
               CASE WHEN state = 'open' THEN cost_max_usd ELSE 0 END AS reserved_usd
        FROM new_calls
        UNION ALL
        SELECT tenant, team, feature, batch_id, task_id, opened_at, simulated, -coalesce(cost_usd, 0),
               CASE WHEN state = 'open' THEN -cost_max_usd ELSE 0 END
        FROM old_calls
    ) AS b
    CROSS JOIN LATERAL budget_lines(b.tenant, b.team, b.feature, b.batch_id, b.task_id, b.opened_at) AS l
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (scope, period, started_at, name, simulated) DO UPDATE
    SET settled_usd = c.settled_usd + excluded.settled_usd,
        reserved_usd = c.reserved_usd + excluded.reserved_usd;
    RETURN NULL;
END
$$;

CREATE TRIGGER book_opened_calls AFTER INSERT ON model_calls
REFERENCING NEW TABLE AS new_calls FOR EACH STATEMENT EXECUTE FUNCTION book_opened_calls();
CREATE TRIGGER book_closed_calls AFTER UPDATE ON model_calls
REFERENCING OLD TABLE AS old_calls NEW TABLE AS new_calls FOR EACH STATEMENT EXECUTE FUNCTION book_closed_calls();

-- Counters that somebody removes are not taken for zero: they are counted anew before the next call.
CREATE FUNCTION forget_budget_windows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM budget_windows;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_budget_windows AFTER DELETE OR TRUNCATE ON budget_counters
FOR EACH STATEMENT EXECUTE FUNCTION forget_budget_windows();

CREATE FUNCTION budget_refusal(
    p_simulated boolean, p_need_usd numeric, p_own_usd numeric,
    p_scopes text[], p_periods text[], p_names text[], p_hard_usd numeric[], p_soft_usd numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    -- Not LANGUAGE sql: before version 18 that plans the query anew for each call.
    RETURN (SELECT json_build_object(
        'verdict', v.verdict, 'budget', b.place, 'started_at', extract(epoch FROM s.started_at)::bigint,
        'settled_usd', s.settled_usd::text, 'reserved_usd', s.reserved_usd::text)::text
    FROM unnest(p_scopes, p_periods, p_names, p_hard_usd, p_soft_usd)
         WITH ORDINALITY AS b (scope, period, name, hard_usd, soft_usd, place)
    LEFT JOIN budget_windows AS w ON (w.scope, w.period) = (b.scope, b.period)
    LEFT JOIN budget_counters AS c
           ON (c.scope, c.period, c.started_at, c.name, c.simulated)
            = (b.scope, b.period, budget_started_at(b.period, now()), b.name, p_simulated)
    CROSS JOIN LATERAL (
        SELECT budget_started_at(b.period, now()) AS started_at, coalesce(c.settled_usd, 0) AS settled_usd,
               coalesce(c.reserved_usd - p_own_usd, 0) AS reserved_usd
    ) AS s
    CROSS JOIN LATERAL (
        SELECT s.settled_usd + s.reserved_usd AS booked_usd,
               s.settled_usd + s.reserved_usd + p_need_usd > b.hard_usd AS over
    ) AS t
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN w.scope IS NULL OR (p_own_usd > 0 AND c.scope IS NULL) THEN 'uncounted'
            WHEN b.soft_usd IS NOT NULL AND (t.booked_usd >= b.soft_usd OR t.over) THEN 'strained'
            WHEN t.over THEN 'exhausted'
        END AS verdict
    ) AS v
    WHERE v.verdict IS NOT NULL
    ORDER BY array_position(ARRAY['uncounted', 'strained', 'exhausted'], v.verdict), b.place
    LIMIT 1);
END
$$;
COMMENT ON FUNCTION budget_refusal IS
    'Which of the budgets refuses a call of that worst case and why, as JSON, or NULL. p_own_usd is the part of it '
    'that is reserved already. uncounted: the counters have to be made from the ledger first.';

-- Two that count the same attempts insert the same number: the primary key lets one of them through.
-- Budgets are looked at twice: without a lock, which spares an empty budget the writes, and again when the
-- insert holds its counters locked, which is exact. An exception then takes the insert back.
CREATE FUNCTION open_model_call(
    p_revision text, p_step text, p_worker_id text, p_task_id text, p_submission_id text, p_batch_id text,
    p_tenant text, p_team text, p_feature text, p_recipe text, p_provider text, p_model text,
    p_simulated boolean, p_cost_max_usd numeric, p_degraded_by text,
    p_scopes text[], p_periods text[], p_names text[], p_hard_usd numeric[], p_soft_usd numeric[],
    OUT attempt integer, OUT refusal text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    next_attempt integer;
BEGIN
    SELECT coalesce(max(m.attempt), 0) + 1 INTO next_attempt
    FROM model_calls AS m
    WHERE m.revision = p_revision AND m.step = p_step
    HAVING coalesce(bool_and(m.state IN ('failed', 'unknown')), true);
    IF next_attempt IS NULL THEN
        RETURN;
    END IF;
    IF cardinality(p_scopes) > 0 THEN
        refusal := budget_refusal(p_simulated, p_cost_max_usd, 0, p_scopes, p_periods, p_names, p_hard_usd, p_soft_usd);
        IF refusal IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    INSERT INTO model_calls AS m (revision, step, attempt, state, worker_id, task_id, submission_id, batch_id,
                                  tenant, team, feature, recipe, provider, model, simulated, cost_max_usd,
                                  degraded_by)
    VALUES (p_revision, p_step, next_attempt, 'open', p_worker_id, p_task_id, p_submission_id, p_batch_id,
            p_tenant, p_team, p_feature, p_recipe, p_provider, p_model, p_simulated, p_cost_max_usd, p_degraded_by)
    ON CONFLICT DO NOTHING
    RETURNING m.attempt INTO attempt;
    IF attempt IS NOT NULL AND cardinality(p_scopes) > 0 THEN
        refusal := budget_refusal(
            p_simulated, p_cost_max_usd, p_cost_max_usd, p_scopes, p_periods, p_names, p_hard_usd, p_soft_usd);
        IF refusal IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PB001', MESSAGE = 'a budget refuses the call', DETAIL = refusal;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION open_model_call IS
    'Open the next attempt of a call and reserve its worst case, or say which budget refuses it (SQLSTATE PB001 '
    'where another call was quicker). Neither: an attempt is open or answered.';

CREATE FUNCTION open_model_calls(
    p_revisions text[], p_steps text[], p_worker_id text, p_task_ids text[], p_submission_ids text[],
    p_batch_ids text[], p_tenants text[], p_teams text[], p_features text[], p_recipes text[], p_providers text[],
    p_models text[], p_simulated boolean[], p_cost_max_usd numeric[], p_degraded_by text[],
    p_budget_scopes text[], p_budget_periods text[], p_budget_names text[], p_budget_simulated boolean[],
    p_budget_limits_usd numeric[]
) RETURNS TABLE (revision text, step text, attempt integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- In the order of their keys: two groups with the same calls do not wait for each other.
    RETURN QUERY
    INSERT INTO model_calls AS m (revision, step, attempt, state, worker_id, task_id, submission_id, batch_id,
                                  tenant, team, feature, recipe, provider, model, simulated, cost_max_usd,
                                  degraded_by)
    SELECT n.revision, n.step, a.attempt, 'open', p_worker_id, n.task_id, n.submission_id, n.batch_id,
           n.tenant, n.team, n.feature, n.recipe, n.provider, n.model, n.simulated, n.cost_max_usd, n.degraded_by
    FROM unnest(p_revisions, p_steps, p_task_ids, p_submission_ids, p_batch_ids, p_tenants, p_teams, p_features,
                p_recipes, p_providers, p_models, p_simulated, p_cost_max_usd, p_degraded_by)
         AS n (revision, step, task_id, submission_id, batch_id, tenant, team, feature,
               recipe, provider, model, simulated, cost_max_usd, degraded_by)
    CROSS JOIN LATERAL (
        SELECT coalesce(max(c.attempt), 0) + 1 AS attempt
        FROM model_calls AS c
        WHERE c.revision = n.revision AND c.step = n.step
        HAVING coalesce(bool_and(c.state IN ('failed', 'unknown')), true)
    ) AS a
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
    RETURNING m.revision, m.step, m.attempt;
    IF EXISTS (
        SELECT
        FROM unnest(p_budget_scopes, p_budget_periods, p_budget_names, p_budget_simulated, p_budget_limits_usd)
             AS b (scope, period, name, simulated, limit_usd)
        LEFT JOIN budget_windows AS w ON (w.scope, w.period) = (b.scope, b.period)
        LEFT JOIN budget_counters AS c
               ON (c.scope, c.period, c.started_at, c.name, c.simulated)
                = (b.scope, b.period, budget_started_at(b.period, now()), b.name, b.simulated)
        WHERE w.scope IS NULL OR c.scope IS NULL OR c.settled_usd + c.reserved_usd > b.limit_usd
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'PB001', MESSAGE = 'a budget may refuse one of the calls';
    END IF;
END
$$;
COMMENT ON FUNCTION open_model_calls IS
    'Open the next attempts of calls, all of them or, where one of their budgets may be passed, none (SQLSTATE '
    'PB001): each is then opened by itself. A call that is missing in the result is open or answered already.';
