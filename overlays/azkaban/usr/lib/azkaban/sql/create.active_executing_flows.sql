CREATE TABLE IF NOT EXISTS active_executing_flows (
  exec_id INT NOT NULL,
  host VARCHAR(255),
  port INT,
  update_time BIGINT,
  PRIMARY KEY (exec_id)
);
