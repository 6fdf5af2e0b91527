BEGIN TRANSACTION;
CREATE TABLE arrays (
	run_id VARCHAR(32) NOT NULL, 
	output VARCHAR(255) NOT NULL, 
	dtype VARCHAR(16) NOT NULL, 
	shape TEXT NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (run_id, output)
);
INSERT INTO "arrays" VALUES('bab08129f95e2e82121295f8','w','<f8','[2]',X'000000000000E03F0000000000000040');
INSERT INTO "arrays" VALUES('4eee1b116360cfda64d044b3','w','<f8','[2]',X'000000000000F03F000000000000F03F');
CREATE TABLE runs (
	id VARCHAR(32) NOT NULL, 
	number BIGINT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	error TEXT NOT NULL, 
	seconds DOUBLE, 
	attempt INTEGER NOT NULL, 
	seed BIGINT, 
	started DOUBLE, 
	session INTEGER, 
	in_x DOUBLE, 
	in_n BIGINT, 
	in_kind TEXT, 
	out_y DOUBLE, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('bab08129f95e2e82121295f8',0,'done','',8.31530014693271368741e-05,1,6915300757778690615,1.79552413062660980221e+09,1,0.5,2,'a',1.0);
INSERT INTO "runs" VALUES('14f0dad6164c62b9bf0df2be',1,'failed','Traceback (most recent call last):
  File "<stdin>", line 5, in old
ValueError: three',1.45494999742368236184e-04,1,131644286838786619,1.79552413062670683865e+09,1,0.25,3,'b',NULL);
INSERT INTO "runs" VALUES('4eee1b116360cfda64d044b3',2,'done','',1.83979991561500355601e-05,1,1233632773573875357,1.79552413062686324124e+09,1,1.0,1,'b',1.0);
CREATE TABLE sessions (
	id INTEGER NOT NULL, 
	description TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "sessions" VALUES(1,'{"time": "2026-11-24T12:42:10+0000", "host": "laptop", "process": 22798, "platform": "Linux-6.18.44-fc-v669-x86_64-with-glibc2.36", "command": "python", "git_commit": "ede74f231c1ff9941f264a393b4a232d800c5d1e+", "versions": {"python": "3.11.7", "surrogate-learn": "0.1.0", "numpy": "2.4.6", "scipy": "1.17.1", "scikit-learn": "1.9.1", "pandas": "3.1.1", "SALib": "1.6.0", "joblib": "1.6.0", "pydoe": "1.6.0", "matplotlib": "3.11.2"}}');
CREATE TABLE study (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "study" VALUES('schema','1');
INSERT INTO "study" VALUES('simulator','"old"');
INSERT INTO "study" VALUES('version','"1"');
INSERT INTO "study" VALUES('space','{"x": {"type": "real", "low": 0.0, "high": 1.0, "unit": "m"}, "n": {"type": "integer", "low": 1, "high": 3}, "kind": {"type": "categorical", "values": ["a", "b"]}}');
INSERT INTO "study" VALUES('outputs','[{"name": "y"}, {"name": "w", "at": [0.0, 1.0], "coordinate": "time"}]');
INSERT INTO "study" VALUES('created','1795524130.5350015');
INSERT INTO "study" VALUES('design','{}');
INSERT INTO "study" VALUES('entropy','7434755675892716031');
CREATE INDEX ix_runs_number ON runs (number);
COMMIT;
