CREATE ROLE "msa-auth" LOGIN;
CREATE TABLE users (name TEXT NOT NULL, domain TEXT NOT NULL, password TEXT NOT NULL, PRIMARY KEY (name, domain));
GRANT SELECT ON users TO "msa-auth";
