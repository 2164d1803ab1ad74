CREATE TABLE users (name TEXT NOT NULL, domain TEXT NOT NULL, password TEXT NOT NULL, PRIMARY KEY (name, domain));
