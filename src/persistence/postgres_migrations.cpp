#include "persistence/postgres_migrations.h"

#include <array>

namespace mapflow::persistence::postgres {
namespace {

// Log blobs are large and not worth compressing for the short time they live, so they are kept as they are.
constexpr std::string_view kTables[] = {
    R"sql(
CREATE TABLE @.partitions (
  partition  integer PRIMARY KEY,
  shared     boolean NOT NULL,
  epoch      bigint  NOT NULL DEFAULT 0,  -- 0: never taken
  node       text    NOT NULL DEFAULT '',
  expires    bigint  NOT NULL DEFAULT 0,  -- times: microseconds since 1970, UTC
  released   boolean NOT NULL DEFAULT false,
  sender     bigint  NOT NULL DEFAULT 0,  -- grows when a writer lost its connection: what that one still sends is late
  written    bigint  NOT NULL DEFAULT 0,  -- commits under the current epoch
  log_start  bigint  NOT NULL DEFAULT 1,  -- entries before it are dropped, though their rows may wait to be deleted
  log_end    bigint  NOT NULL DEFAULT 0,  -- last position given
  swept_from bigint  NOT NULL DEFAULT 1,  -- what the last commit deleted of the log: from here …
  swept_to   bigint  NOT NULL DEFAULT 1   -- … to before here
) WITH (fillfactor = 20))sql",  // room for many versions of a row, for each commit makes one
    R"sql(
CREATE TABLE @.inbox_ends (
  partition integer PRIMARY KEY,
  position  bigint  NOT NULL
) WITH (fillfactor = 20))sql",
    R"sql(
CREATE TABLE @.log (
  partition integer NOT NULL,
  position  bigint  NOT NULL,
  epoch     bigint  NOT NULL,
  bytes     bytea   NOT NULL,
  PRIMARY KEY (partition, position)
))sql",
    "ALTER TABLE @.log ALTER bytes SET STORAGE EXTERNAL",
    R"sql(
CREATE TABLE @.instances (
  id             text COLLATE "C" PRIMARY KEY,
  partition      integer NOT NULL,
  workflow       text    NOT NULL,
  version        text    NOT NULL,
  definition     text    NOT NULL,
  state          text    NOT NULL,
  finished       boolean NOT NULL,
  parent         text    NOT NULL,
  correlation_id text    NOT NULL,
  tags           text[]  NOT NULL,
  created        bigint  NOT NULL,
  updated        bigint  NOT NULL,
  wake_at        bigint,                  -- NULL: never
  seq            bigint  NOT NULL,
  snapshot       bytea   NOT NULL,
  details        json                     -- {"steps": […], "errors": […]} as of the snapshot
))sql",
    "CREATE INDEX instances_by_age ON @.instances (created, id)",
    "CREATE INDEX instances_by_state ON @.instances (state, created, id)",
    "CREATE INDEX instances_by_workflow ON @.instances (workflow, created, id)",
    "CREATE INDEX instances_unfinished ON @.instances (partition, id) WHERE NOT finished",
    R"sql(
CREATE TABLE @.history (
  instance  text COLLATE "C" NOT NULL,
  first_seq bigint NOT NULL,
  last_seq  bigint NOT NULL,
  encoding  text   NOT NULL,              -- raw, zstd
  records   bytea  NOT NULL,
  PRIMARY KEY (instance, first_seq)
))sql",
    "ALTER TABLE @.history ALTER records SET STORAGE EXTERNAL",
    R"sql(
CREATE TABLE @.definitions (
  hash     text COLLATE "C" PRIMARY KEY,
  workflow text NOT NULL,
  version  text NOT NULL,
  document text NOT NULL                  -- JSON
))sql",
    R"sql(
CREATE TABLE @.inbox (
  partition integer NOT NULL,
  position  bigint  NOT NULL,
  command   bytea   NOT NULL,
  PRIMARY KEY (partition, position)
))sql",
    // All of many commits or nothing. The first statement locks the partitions, and finds whether every commit may
    // still be: its lease is the current one, its sender has not been given up, and everything that the lease wrote
    // before is there. Plans must not depend on how small the tables were when the function was first called, so it
    // goes by the indexes always.
    R"sql(
CREATE FUNCTION @.write_commits(
  p_partition integer[], p_epoch bigint[], p_sender bigint[], p_written bigint[], p_commits bigint[],
  p_log_end bigint[], p_log_start bigint[], p_inbox bigint[],
  l_partition integer[], l_position bigint[], l_epoch bigint[], l_bytes bytea[],
  r_id text[], r_partition integer[], r_workflow text[], r_version text[], r_definition text[], r_state text[],
  r_finished boolean[], r_parent text[], r_correlation_id text[], r_tags text[], r_created bigint[],
  r_updated bigint[], r_wake_at bigint[], r_seq bigint[], r_snapshot bytea[], r_details text[],
  h_instance text[], h_first_seq bigint[], h_last_seq bigint[], h_encoding text[], h_records bytea[],
  d_hash text[], d_workflow text[], d_version text[], d_document text[]
) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $body$
DECLARE
  touched bigint;
  taken   record;
BEGIN
  UPDATE @.partitions AS p
     SET written = p.written + w.commits, log_end = w.log_end, log_start = greatest(p.log_start, w.log_start),
         swept_from = p.swept_to, swept_to = least(greatest(p.log_start, w.log_start), p.swept_to + 256)
    FROM unnest(p_partition, p_epoch, p_sender, p_written, p_commits, p_log_end, p_log_start)
      AS w(partition, epoch, sender, written, commits, log_end, log_start)
   WHERE p.partition = w.partition AND p.epoch = w.epoch AND NOT p.released
     AND p.sender = w.sender AND p.written = w.written;
  GET DIAGNOSTICS touched = ROW_COUNT;
  IF touched <> cardinality(p_partition) THEN
    RAISE EXCEPTION 'a lease is over' USING ERRCODE = 'MF001';
  END IF;

  IF cardinality(l_partition) > 0 THEN
    INSERT INTO @.log (partition, position, epoch, bytes)
    SELECT * FROM unnest(l_partition, l_position, l_epoch, l_bytes);
  END IF;

  IF cardinality(r_id) > 0 THEN
    INSERT INTO @.instances AS i (id, partition, workflow, version, definition, state, finished, parent, correlation_id,
                                  tags, created, updated, wake_at, seq, snapshot, details)
    SELECT id, partition, workflow, version, definition, state, finished, parent, correlation_id,
           tags::text[], created, updated, wake_at, seq, snapshot, details::json
      FROM unnest(r_id, r_partition, r_workflow, r_version, r_definition, r_state, r_finished, r_parent,
                  r_correlation_id, r_tags, r_created, r_updated, r_wake_at, r_seq, r_snapshot, r_details)
        AS r(id, partition, workflow, version, definition, state, finished, parent, correlation_id,
             tags, created, updated, wake_at, seq, snapshot, details)
        ON CONFLICT (id) DO UPDATE
       SET workflow = excluded.workflow, version = excluded.version, definition = excluded.definition,
           state = excluded.state, finished = excluded.finished, parent = excluded.parent,
           correlation_id = excluded.correlation_id, tags = excluded.tags, created = excluded.created,
           updated = excluded.updated, wake_at = excluded.wake_at, seq = excluded.seq,
           snapshot = excluded.snapshot, details = excluded.details
     WHERE i.partition = excluded.partition;
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched <> cardinality(r_id) THEN
      SELECT i.partition, i.id INTO taken
        FROM unnest(r_id, r_partition) AS r(id, partition) JOIN @.instances i ON i.id = r.id
       WHERE i.partition <> r.partition LIMIT 1;
      RAISE EXCEPTION 'an instance belongs to another partition'
        USING ERRCODE = 'MF002', DETAIL = concat(taken.partition, ' ', taken.id);
    END IF;
  END IF;

  IF cardinality(h_instance) > 0 THEN
    INSERT INTO @.history (instance, first_seq, last_seq, encoding, records)
    SELECT * FROM unnest(h_instance, h_first_seq, h_last_seq, h_encoding, h_records)
        ON CONFLICT (instance, first_seq) DO UPDATE
       SET last_seq = excluded.last_seq, encoding = excluded.encoding, records = excluded.records;
  END IF;

  IF cardinality(d_hash) > 0 THEN
    INSERT INTO @.definitions (hash, workflow, version, document)
    SELECT * FROM unnest(d_hash, d_workflow, d_version, d_document) ON CONFLICT DO NOTHING;
  END IF;

  IF 0 < ANY (p_inbox) THEN
    DELETE FROM @.inbox AS b USING unnest(p_partition, p_inbox) AS w(partition, through)
     WHERE b.partition = w.partition AND b.position <= w.through;
  END IF;

  DELETE FROM @.log AS l USING @.partitions AS p
   WHERE p.partition = ANY (p_partition) AND p.swept_from < p.swept_to
     AND l.partition = p.partition AND l.position >= p.swept_from AND l.position < p.swept_to;
END $body$)sql",
};

constexpr std::string_view kViews[] = {
    // Far times, as of a lease without an end, are left out: PostgreSQL's calendar ends before ours.
    R"sql(
CREATE FUNCTION @.readable_time(micros bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
  SELECT CASE WHEN micros < 9000000000000000 THEN timestamptz 'epoch' + micros * interval '1 microsecond' END
$body$)sql",
    R"sql(
CREATE VIEW @.mapflow_instances AS
SELECT id, workflow, version, state, finished, parent, correlation_id, tags, partition, definition,
       @.readable_time(created) AS created, @.readable_time(updated) AS updated, @.readable_time(wake_at) AS wake_at
  FROM @.instances)sql",
    R"sql(
CREATE VIEW @.mapflow_steps AS
SELECT i.id AS instance, i.workflow, s.path, s.id AS step, s.type, s.state, s.attempt,
       s.started_at, s.ended_at, s.due, s.error ->> 'code' AS error_code, s.error ->> 'message' AS error_message
  FROM @.instances i
 CROSS JOIN LATERAL json_to_recordset(i.details -> 'steps')
    AS s(path text, id text, type text, state text, attempt integer,
         started_at timestamptz, ended_at timestamptz, due timestamptz, error json)
 WHERE i.details IS NOT NULL)sql",
    R"sql(
CREATE VIEW @.mapflow_errors AS
SELECT i.id AS instance, i.workflow, i.state, e.path, e.step, e.code, e.message, e.attempt, e.at
  FROM @.instances i
 CROSS JOIN LATERAL json_to_recordset(i.details -> 'errors')
    AS e(path text, step text, code text, message text, attempt integer, at timestamptz)
 WHERE i.details IS NOT NULL)sql",
    "CREATE VIEW @.mapflow_definitions AS SELECT hash, workflow, version, document FROM @.definitions",
    R"sql(
CREATE VIEW @.mapflow_partitions AS
SELECT partition, shared, epoch, node, released, @.readable_time(expires) AS expires FROM @.partitions)sql",
};

constexpr std::string_view kNotices[] = {"ALTER TABLE @.partitions ADD COLUMN notice bytea NOT NULL DEFAULT ''"};

constexpr std::array kMigrations = {
    Migration{1, "tables", kTables},
    Migration{2, "views", kViews},
    Migration{3, "notices of leases", kNotices},
};

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

}  // namespace mapflow::persistence::postgres
