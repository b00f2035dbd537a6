CREATE TABLE IF NOT EXISTS execution_logs (
  exec_id INT NOT NULL,
  name VARCHAR(512) NOT NULL,
  attempt INT NOT NULL,
  enc_type TINYINT,
  start_byte INT NOT NULL,
  end_byte INT,
  log LONGBLOB,
  upload_time BIGINT,
  PRIMARY KEY (exec_id, name, attempt, start_byte)
);
CREATE INDEX IF NOT EXISTS execution_logs_time ON execution_logs (upload_time);
