CREATE TABLE IF NOT EXISTS project_events (
  project_id INT NOT NULL,
  event_type TINYINT NOT NULL,
  event_time BIGINT NOT NULL,
  username VARCHAR(64),
  message VARCHAR(2048)
);
CREATE INDEX IF NOT EXISTS project_events_time ON project_events (project_id, event_time);
