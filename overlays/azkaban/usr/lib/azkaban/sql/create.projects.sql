CREATE TABLE IF NOT EXISTS projects (
  id INT NOT NULL AUTO_INCREMENT,
  name VARCHAR(64) NOT NULL,
  active BOOLEAN,
  modified_time BIGINT NOT NULL,
  create_time BIGINT NOT NULL,
  version INT,
  last_modified_by VARCHAR(64) NOT NULL,
  description VARCHAR(2048),
  enc_type TINYINT,
  settings_blob LONGBLOB,
  PRIMARY KEY (id)
);
-- Not unique: a project that is deleted keeps its row, and its name may be taken again.
CREATE INDEX IF NOT EXISTS projects_name ON projects (name);
