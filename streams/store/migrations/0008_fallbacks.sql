-- Which model was to answer in place of the one that did, and why it did not.

ALTER TABLE model_calls ADD COLUMN fallback_from text;
ALTER TABLE model_calls ADD COLUMN fallback_reason text;
COMMENT ON COLUMN model_calls.fallback_from IS 'The model that was to answer and did not; null: this one was.';

CREATE OR REPLACE VIEW public_model_calls AS
SELECT revision, step, attempt, state, task_id, submission_id, batch_id, tenant, team, feature, recipe,
       provider, model, simulated, cost_max_usd, coalesce(cost_usd, cost_max_usd) AS cost_booked_usd, cost_usd,
       input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning, usage_estimated,
       finish_reason, error, opened_at, closed_at, latency_s, degraded_by, first_token_s,
       response_model, fallback_from, fallback_reason
FROM model_calls;
