CREATE TABLE limit_leases (
    provider text NOT NULL,
    worker_id text NOT NULL,
    offered double precision NOT NULL CHECK (offered BETWEEN 0 AND 1),
    borrowed double precision NOT NULL CHECK (borrowed BETWEEN 0 AND 1),
    hungry boolean NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (provider, worker_id)
);
COMMENT ON TABLE limit_leases IS
    'Which part of a provider''s limit a worker offers to others, and which it has borrowed, until when.';
