-- Usage and operations name projects and computes without referring to them: they
-- outlive both.  At most one interval of a compute is open.
CREATE TABLE projects (
 id TEXT PRIMARY KEY, name TEXT NOT NULL, config TEXT NOT NULL,
 created_at @int@ NOT NULL, deleting @int@ NOT NULL DEFAULT 0) @strict@;
CREATE TABLE computes (
 id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects(id),
 engine TEXT NOT NULL, state TEXT NOT NULL, generation @int@ NOT NULL,
 size @int@ NOT NULL, config TEXT NOT NULL, incarnation TEXT NOT NULL DEFAULT '',
 address TEXT NOT NULL DEFAULT '', failure TEXT NOT NULL DEFAULT '',
 verifier TEXT NOT NULL, control_password TEXT NOT NULL,
 created_at @int@ NOT NULL, last_activity @int@ NOT NULL) @strict@;
CREATE INDEX computes_of_project ON computes (project_id, id);
CREATE TABLE operations (
 id @id@, project_id TEXT NOT NULL,
 compute_id TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,
 generation @int@ NOT NULL, reason TEXT NOT NULL, at @int@ NOT NULL) @strict@;
CREATE INDEX operations_of_compute ON operations (compute_id, id);
CREATE TABLE compute_usage (
 id @id@, project_id TEXT NOT NULL,
 compute_id TEXT NOT NULL, incarnation TEXT NOT NULL, size @int@ NOT NULL,
 boot_id TEXT NOT NULL, started_boot @int@ NOT NULL, started_at @int@ NOT NULL,
 last_seen @int@ NOT NULL, ended_at @int@) @strict@;
CREATE UNIQUE INDEX usage_open ON compute_usage (compute_id) WHERE ended_at IS NULL;
CREATE INDEX usage_of_compute ON compute_usage (compute_id, started_at);
CREATE INDEX usage_of_project ON compute_usage (project_id, started_at);
