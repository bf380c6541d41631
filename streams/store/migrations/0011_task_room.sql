-- A task's row is written at each point of its path. With room in its page the new version needs no new entry in
-- any index, and the old one is gone before a vacuum.
-- Source: https://www.postgresql.org/docs/current/storage-hot.html
ALTER TABLE tasks SET (fillfactor = 50);
