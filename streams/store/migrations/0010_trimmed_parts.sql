-- Prompts of parts: what of them a call was asked without.

ALTER TABLE model_calls ADD COLUMN trimmed text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN model_calls.trimmed IS
    'Parts of the prompt that were trimmed to fit the model''s window or a bound of their own.';
