#include "persistence/transfer.h"

#include <fmt/format.h>

#include <istream>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <utility>

#include "persistence/bundle.h"
#include "persistence/compression.h"
#include "persistence/tier.h"
#include "persistence/wire_format.h"

namespace mapflow::persistence {
namespace {

constexpr std::string_view kMagic = "mapflow export 1\n";
constexpr std::string_view kMagicOfAny = "mapflow export ";
constexpr std::size_t kPage = 500;
constexpr std::size_t kLogBytes = 4u << 20;
/// More than any item has: a larger length is a damaged one, not a reason to reserve memory.
constexpr std::uint32_t kMostBytes = 1u << 30;

enum class Item : std::uint64_t { shape = 1, definition, log, instance, command, end };

/// FNV-1a: tells damage by chance, which the compression does not.
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return sum;
}

class FileWriter {
 public:
  explicit FileWriter(std::ostream& out) : out_(out) { out_ << kMagic; }

  Status put(Item item, std::string body) {
    ByteWriter bytes;
    bytes.number(static_cast<std::uint64_t>(item));
    bytes.text(body);
    bytes.number(checksum(body));
    const std::string frame = compressor_.compress(bytes.take());
    if (frame.empty() || frame.size() > kMostBytes) return fail(code::resource_exhausted, "an instance is too large to be exported");
    for (unsigned shift = 0; shift < 32; shift += 8) out_.put(static_cast<char>(frame.size() >> shift));
    out_ << frame;
    return written();
  }
  Status finish() {
    out_.flush();
    return written();
  }

 private:
  Status written() const {
    if (out_.good()) return {};
    return fail(code::unavailable, "the exported store cannot be written", "look whether the disk is full");
  }

  std::ostream& out_;
  Compressor compressor_;
};

std::unexpected<Error> damaged(std::string_view how) {
  return fail(code::corrupt, fmt::format("the exported store {}", how), "export it again; what was imported so far is to be thrown away");
}

class FileReader {
 public:
  explicit FileReader(std::istream& in) : in_(in) {}

  Status begin() {
    std::string magic(kMagic.size(), '\0');
    if (in_.read(magic.data(), static_cast<std::streamsize>(magic.size())) && magic == kMagic) return {};
    if (magic.starts_with(kMagicOfAny))
      return fail(code::invalid_state, "the exported store was written by a newer program", "import it with that one");
    return fail(code::corrupt, "this is not an exported store", "name a file that `mapflow store export` wrote");
  }

  Result<std::pair<Item, std::string>> next() {
    std::uint32_t size = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) size |= static_cast<std::uint32_t>(in_.get() & 0xff) << shift;
    if (!in_ || size > kMostBytes) return damaged("is cut short");
    std::string frame(size, '\0');
    if (!in_.read(frame.data(), static_cast<std::streamsize>(size))) return damaged("is cut short");
    auto bytes = decompress(frame);
    if (!bytes) return damaged("is damaged: " + bytes.error().message);
    ByteReader reader(*bytes);
    const auto item = static_cast<Item>(reader.number());
    std::string body = reader.text();
    if (reader.number() != checksum(body) || !reader.complete()) return damaged("is damaged");
    return std::pair(item, std::move(body));
  }

 private:
  std::istream& in_;
};

std::string in_partition(Partition partition, std::string_view bytes) {
  ByteWriter out;
  out.number(partition.value);
  out.text(bytes);
  return out.take();
}

std::string counts(const TransferReport& report) {
  ByteWriter out;
  for (const std::uint64_t count : {report.instances, report.definitions, report.log_entries, report.commands}) out.number(count);
  return out.take();
}

// --- out ----------------------------------------------------------------------------------------------------------

class Exporter {
 public:
  Exporter(Store& store, std::ostream& out) : store_(store), file_(out) {}

  Result<TransferReport> run(Timestamp now) {
    MAPFLOW_ASSIGN(const std::vector<Lease> leases, store_.leases());
    std::set<Partition> partitions;
    for (std::uint32_t number = 0; number < store_.shared_partitions(); ++number) partitions.insert(Partition(number));
    for (const Lease& lease : leases) {
      if (lease.expires > now)
        return fail(code::conflict, fmt::format("{}: node '{}' runs partition {}", store_.name(), lease.node, lease.partition.value),
                    "stop every node of the store first, so that nothing changes on the way");
      partitions.insert(lease.partition);
    }
    ByteWriter shape;
    shape.number(store_.shared_partitions());
    MAPFLOW_TRY(file_.put(Item::shape, shape.take()));
    MAPFLOW_TRY(put_definitions());
    for (const Partition partition : partitions) MAPFLOW_TRY(put_partition(partition));
    MAPFLOW_TRY(put_instances());
    MAPFLOW_TRY(file_.put(Item::end, counts(report_)));
    MAPFLOW_TRY(file_.finish());
    return report_;
  }

 private:
  Status put_definitions() {
    for (std::string after;;) {
      MAPFLOW_ASSIGN(const auto page, store_.definitions(after, kPage));
      if (page.empty()) return {};
      for (const DefinitionRow& definition : page) {
        ByteWriter out;
        for (const std::string* text : {&definition.hash, &definition.workflow, &definition.version, &definition.document}) out.text(*text);
        MAPFLOW_TRY(file_.put(Item::definition, out.take()));
        ++report_.definitions;
      }
      after = page.back().hash;
    }
  }
  Status put_partition(Partition partition) {
    for (LogPosition from{1};;) {
      MAPFLOW_ASSIGN(const auto entries, store_.read_log(partition, from, kLogBytes));
      if (entries.empty()) break;
      for (const LogEntry& entry : entries) {
        MAPFLOW_TRY(file_.put(Item::log, in_partition(partition, entry.bytes)));
        ++report_.log_entries;
      }
      from.value = entries.back().position.value + 1;
    }
    for (InboxPosition after{0};;) {
      MAPFLOW_ASSIGN(const auto commands, store_.inbox(partition, after, kPage));
      if (commands.empty()) return {};
      for (const InboxEntry& command : commands) {
        MAPFLOW_TRY(file_.put(Item::command, in_partition(partition, command.command)));
        ++report_.commands;
      }
      after = commands.back().position;
    }
  }
  Status put_instances() {
    for (ListQuery query{.limit = kPage};;) {
      MAPFLOW_ASSIGN(const InstancePage page, store_.list(query));
      for (const InstanceRow& listed : page.rows) {
        Bundle bundle;
        MAPFLOW_ASSIGN(bundle.row, store_.instance(listed.id));
        MAPFLOW_ASSIGN(bundle.history, store_.history(listed.id));
        MAPFLOW_TRY(file_.put(Item::instance, encode(bundle)));
        ++report_.instances;
      }
      if (page.next_cursor.empty()) return {};
      query.cursor = page.next_cursor;
    }
  }

  Store& store_;
  FileWriter file_;
  TransferReport report_;
};

// --- in -----------------------------------------------------------------------------------------------------------

class Importer {
 public:
  Importer(Store& store, std::istream& in) : store_(store), file_(in) {}

  Result<TransferReport> run() {
    MAPFLOW_TRY(file_.begin());
    MAPFLOW_TRY(check_empty());
    for (;;) {
      MAPFLOW_ASSIGN(auto item, file_.next());
      if (item.first == Item::end) {
        if (item.second != counts(report_)) return damaged("lacks some of what it began with");
        for (const auto& [partition, lease] : leases_) MAPFLOW_TRY(store_.release(lease));
        return report_;
      }
      MAPFLOW_TRY(take(item.first, item.second));
    }
  }

 private:
  Status check_empty() {
    MAPFLOW_ASSIGN(const InstancePage page, store_.list({.limit = 1}));
    MAPFLOW_ASSIGN(const std::vector<Lease> leases, store_.leases());
    if (page.rows.empty() && leases.empty()) return {};
    return fail(code::conflict, fmt::format("{} is in use, and a store is imported into an empty one only", store_.name()),
                "name a store that does not exist yet");
  }
  Status take(Item item, const std::string& body) {
    ByteReader in(body);
    switch (item) {
      case Item::shape: {
        const std::uint64_t shared = in.number();
        if (shared != store_.shared_partitions())
          return fail(code::invalid_input, fmt::format("the exported store is cut into {} shared partitions, {} into {}", shared,
                                                       store_.name(), store_.shared_partitions()),
                      "make the store with that number");
        return {};
      }
      case Item::definition: {
        DefinitionRow definition;
        for (std::string* text : {&definition.hash, &definition.workflow, &definition.version, &definition.document}) *text = in.text();
        if (!in.complete()) return damaged("is damaged");
        ++report_.definitions;
        return write(Partition(0), {.definitions = {std::move(definition)}});
      }
      case Item::instance: {
        MAPFLOW_ASSIGN(Bundle bundle, decode_bundle(body));
        ++report_.instances;
        const Partition partition = bundle.row.partition;
        return write(partition, {.rows = {std::move(bundle.row)}, .history = std::move(bundle.history)});
      }
      case Item::log:
      case Item::command: return take_bytes(item, in);
      case Item::end: break;
    }
    return damaged("holds something that this program does not know");
  }
  Status take_bytes(Item item, ByteReader& in) {
    const Partition partition(static_cast<std::uint32_t>(in.number()));
    std::string bytes = in.text();
    if (!in.complete()) return damaged("is damaged");
    ++(item == Item::log ? report_.log_entries : report_.commands);
    if (item == Item::log) return write(partition, {.log = std::move(bytes)});
    MAPFLOW_TRY(lease_of(partition));  // so that the partition is there
    MAPFLOW_TRY(store_.post(partition, std::move(bytes)));
    return {};
  }
  Result<Lease> lease_of(Partition partition) {
    const auto found = leases_.find(partition);
    if (found != leases_.end()) return found->second;
    MAPFLOW_ASSIGN(Lease lease, take_over(store_, partition, "import"));
    return leases_.emplace(partition, std::move(lease)).first->second;
  }
  Status write(Partition partition, Commit commit) {
    MAPFLOW_ASSIGN(commit.lease, lease_of(partition));
    MAPFLOW_TRY(commit_and_wait(store_, std::move(commit)));
    return {};
  }

  Store& store_;
  FileReader file_;
  std::map<Partition, Lease> leases_;
  TransferReport report_;
};

}  // namespace

Result<TransferReport> export_store(Store& store, std::ostream& out, Timestamp now) { return Exporter(store, out).run(now); }

Result<std::uint32_t> exported_partitions(std::istream& in) {
  FileReader file(in);
  MAPFLOW_TRY(file.begin());
  MAPFLOW_ASSIGN(const auto item, file.next());
  in.clear();
  in.seekg(0);
  if (item.first != Item::shape) return damaged("does not begin as it must");
  return static_cast<std::uint32_t>(ByteReader(item.second).number());
}

Result<TransferReport> import_store(Store& store, std::istream& in) { return Importer(store, in).run(); }

}  // namespace mapflow::persistence
