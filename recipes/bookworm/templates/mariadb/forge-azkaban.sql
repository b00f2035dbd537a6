-- Written by forge-node from the inventory; changes here are lost.
CREATE DATABASE IF NOT EXISTS {{ .Azkaban.Database.Name }};
CREATE USER IF NOT EXISTS {{ sql .Azkaban.Database.User }}@'%';
ALTER USER {{ sql .Azkaban.Database.User }}@'%' IDENTIFIED BY {{ sql (secret "azkaban-database") }};
GRANT SELECT, INSERT, UPDATE, DELETE ON {{ .Azkaban.Database.Name }}.* TO {{ sql .Azkaban.Database.User }}@'%';
USE {{ .Azkaban.Database.Name }};
