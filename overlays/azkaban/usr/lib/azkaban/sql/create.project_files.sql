CREATE TABLE IF NOT EXISTS project_files (
  project_id INT NOT NULL,
  version INT NOT NULL,
  chunk INT NOT NULL,
  size INT,
  file LONGBLOB,
  PRIMARY KEY (project_id, version, chunk)
);
