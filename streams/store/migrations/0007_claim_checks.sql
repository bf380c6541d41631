-- Values that are too large for their topics, by the sha256 of their bytes.
CREATE TABLE claim_checks (
    sha256 text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    content bytea NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '45 days'
);
CREATE INDEX claim_checks_expiry ON claim_checks (expires_at);
COMMENT ON TABLE claim_checks IS 'Claim Check: what records refer to that are too large to travel; others may insert.';
COMMENT ON COLUMN claim_checks.sha256 IS 'encode(sha256(content), ''hex''); verified by whoever reads.';
COMMENT ON COLUMN claim_checks.expires_at IS 'After work (7 d) and dead letters (30 d) are forgotten; then a worker deletes it.';
