-- Computes and projects are asked for by the same name, so no two may share one.
CREATE TABLE names (id TEXT PRIMARY KEY) @strict@;
INSERT INTO names SELECT id FROM projects UNION SELECT id FROM computes;
ALTER TABLE computes ADD COLUMN since @int@ NOT NULL DEFAULT 0;
ALTER TABLE compute_usage ADD COLUMN kind TEXT NOT NULL DEFAULT 'active';
ALTER TABLE compute_usage ADD COLUMN end_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX usage_by_end ON compute_usage (ended_at);
CREATE INDEX operations_of_project ON operations (project_id, id);

-- What is to be true of a compute's server; pending says what it has not been told yet.
CREATE TABLE roles (
 compute_id TEXT NOT NULL, name TEXT NOT NULL, verifier TEXT NOT NULL,
 mysql_hash TEXT NOT NULL DEFAULT '', created_at @int@ NOT NULL,
 pending TEXT NOT NULL DEFAULT '', PRIMARY KEY (compute_id, name)) @strict@;
INSERT INTO roles (compute_id, name, verifier, created_at)
 SELECT id, 'app', verifier, created_at FROM computes;
CREATE TABLE databases (
 compute_id TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL,
 created_at @int@ NOT NULL, pending TEXT NOT NULL DEFAULT '',
 PRIMARY KEY (compute_id, name)) @strict@;
INSERT INTO databases (compute_id, name, owner, created_at)
 SELECT id, 'app', 'app', created_at FROM computes;

-- Bearer tokens are known by their hash alone.
CREATE TABLE tokens (
 id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, scope TEXT NOT NULL,
 project_id TEXT NOT NULL, name TEXT NOT NULL, created_at @int@ NOT NULL) @strict@;

-- What was answered to a request with an Idempotency-Key, sealed with that key.
CREATE TABLE answers (
 key_hash TEXT PRIMARY KEY, request_hash TEXT NOT NULL, resource_id TEXT NOT NULL,
 status @int@ NOT NULL DEFAULT 0, sealed TEXT NOT NULL DEFAULT '', at @int@ NOT NULL) @strict@;
CREATE INDEX answers_by_age ON answers (at);

-- One row: which life of which control process is in charge.
CREATE TABLE leadership (
 one @int@ PRIMARY KEY, epoch @int@ NOT NULL, url TEXT NOT NULL, since @int@ NOT NULL) @strict@;
INSERT INTO leadership VALUES (1, 0, '', 0);

-- What was used besides time.
CREATE TABLE storage_usage (
 id @id@, project_id TEXT NOT NULL, compute_id TEXT NOT NULL,
 at @int@ NOT NULL, bytes @int@ NOT NULL) @strict@;
CREATE INDEX storage_of_project ON storage_usage (project_id, at);
CREATE INDEX storage_of_compute ON storage_usage (compute_id, at);
CREATE TABLE traffic_seen (
 compute_id TEXT NOT NULL, epoch TEXT NOT NULL, received @int@ NOT NULL, sent @int@ NOT NULL,
 PRIMARY KEY (compute_id, epoch)) @strict@;
CREATE TABLE traffic_hours (
 project_id TEXT NOT NULL, compute_id TEXT NOT NULL, hour @int@ NOT NULL,
 received @int@ NOT NULL, sent @int@ NOT NULL, PRIMARY KEY (compute_id, hour)) @strict@;
CREATE INDEX traffic_of_project ON traffic_hours (project_id, hour);
CREATE TABLE awake_causes (
 project_id TEXT NOT NULL, compute_id TEXT NOT NULL, hour @int@ NOT NULL,
 kind TEXT NOT NULL, role TEXT NOT NULL, application TEXT NOT NULL, network TEXT NOT NULL,
 active_us @int@ NOT NULL,
 PRIMARY KEY (compute_id, hour, kind, role, application, network)) @strict@;
CREATE INDEX causes_of_project ON awake_causes (project_id, hour);

-- What was published of each hour, and what is still to be sent.
CREATE TABLE usage_hours (
 project_id TEXT NOT NULL, compute_id TEXT NOT NULL, hour @int@ NOT NULL,
 active_us @int@ NOT NULL, frozen_us @int@ NOT NULL, compute_us @int@ NOT NULL,
 storage_byte_seconds @int@ NOT NULL, proxied_bytes @int@ NOT NULL, revision @int@ NOT NULL,
 PRIMARY KEY (compute_id, hour)) @strict@;
CREATE INDEX hours_of_project ON usage_hours (project_id, hour);
CREATE TABLE outbox (
 id @id@, key TEXT NOT NULL UNIQUE, url TEXT NOT NULL, body TEXT NOT NULL,
 created_at @int@ NOT NULL, attempts @int@ NOT NULL DEFAULT 0,
 next_at @int@ NOT NULL DEFAULT 0) @strict@;
CREATE INDEX outbox_by_time ON outbox (next_at);
