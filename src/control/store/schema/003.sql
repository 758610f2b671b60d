-- What servers use of CPUs.
ALTER TABLE compute_usage ADD COLUMN cpu_start @int@ NOT NULL DEFAULT -1;
ALTER TABLE compute_usage ADD COLUMN cpu_us @int@ NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN cpu_us @int@ NOT NULL DEFAULT 0;

-- What is no more asked for is forgotten by its age.
ALTER TABLE traffic_seen ADD COLUMN seen_at @int@ NOT NULL DEFAULT 0;
UPDATE traffic_seen SET seen_at = coalesce((SELECT max(hour) FROM traffic_hours
 WHERE traffic_hours.compute_id = traffic_seen.compute_id), 0);
CREATE INDEX traffic_seen_by_age ON traffic_seen (seen_at);
CREATE INDEX operations_by_age ON operations (at);
CREATE INDEX storage_by_age ON storage_usage (at);
