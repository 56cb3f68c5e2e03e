#include "service_manager/schema.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>

namespace tcfdl::service_manager {
namespace {

using database::Database;
using database::Row;

/// Names and columns of all tables and indices.
std::string shape_of(Database& database) {
  std::string shape;
  const auto add = [&](const Row& row) -> Status {
    shape += row.text(0) + ": " + row.text(1) + '\n';
    return {};
  };
  EXPECT_TRUE(database.query("SELECT m.name, group_concat(c.name || ' ' || c.type) FROM sqlite_master AS m JOIN "
                             "pragma_table_xinfo(m.name) AS c GROUP BY m.name ORDER BY m.name",
                             {}, add));
  return shape;
}

TEST(Schema, IsTheSameFromEachOlderOneAndKeepsWhatWasThere) {
  const TemporaryDirectory directory;
  const auto fresh = Database::open(directory.path() / "fresh.sqlite").value();
  ASSERT_TRUE(prepare_schema(*fresh));
  const auto wanted = shape_of(*fresh);
  const auto scripts = schema_scripts();
  for (std::size_t version = 1; version < scripts.size(); ++version) {
    const auto path = directory.path() / fmt::format("{}.sqlite", version);
    const auto old = Database::open(path).value();
    ASSERT_TRUE(old->migrate("service_manager", scripts.first(version)));
    ASSERT_TRUE(old->execute("INSERT INTO clusters VALUES ('west', x'01', x'02', 60, 100)"));
    ASSERT_TRUE(old->execute("INSERT INTO issued (serial, cluster, holder, what, function, assurance, epoch, expires) "
                             "VALUES (1, 'west', 'node', 'certificate', '', '', 0, 100)"));
    ASSERT_TRUE(prepare_schema(*old)) << version;
    EXPECT_EQ(shape_of(*old), wanted) << "from schema " << version;
    const auto kept = old->query_one("SELECT count(*) FROM clusters JOIN issued ON issued.cluster = clusters.cluster",
                                     {}, [](const Row& row) { return row.integer(0); });
    EXPECT_EQ(kept.value(), 1);
    EXPECT_TRUE(old->check());
  }
}

TEST(Schema, OfANewerProgramIsRefused) {
  const TemporaryDirectory directory;
  const auto database = Database::open(directory.path() / "newer.sqlite").value();
  ASSERT_TRUE(prepare_schema(*database));
  ASSERT_TRUE(database->execute("UPDATE schema_versions SET version = version + 1"));
  const auto refused = prepare_schema(*database);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message().find("start a newer version"), std::string::npos);
}

} // namespace
} // namespace tcfdl::service_manager
