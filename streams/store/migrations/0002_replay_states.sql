-- A replay is two steps, so that a crash between them loses nothing: 'sending' before the record is sent,
-- 'sent' after the broker has acknowledged it.
ALTER TABLE dead_letter_replays
    ADD COLUMN state text NOT NULL DEFAULT 'sent' CHECK (state IN ('sending', 'sent'));
ALTER TABLE dead_letter_replays ALTER COLUMN state DROP DEFAULT;
COMMENT ON COLUMN dead_letter_replays.replayed_at IS 'When the state was reached.';
