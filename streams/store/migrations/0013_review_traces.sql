-- What a decision leads to belongs to the trace of the task, which the request came with.
ALTER TABLE reviews ADD COLUMN traceparent text;
