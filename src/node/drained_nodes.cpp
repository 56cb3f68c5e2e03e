#include "node/drained_nodes.hpp"

namespace tcfdl::node {

Result<std::unique_ptr<DrainedNodes>> DrainedNodes::open(database::Database& database,
                                                         instance_manager::ClusterInstances& instances) {
  constexpr std::string_view kTable =
      "CREATE TABLE IF NOT EXISTS drained_nodes(node TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID";
  TCFDL_TRY(database.migrate("drained_nodes", std::array{kTable}));
  std::unique_ptr<DrainedNodes> nodes(new DrainedNodes(database, instances));
  TCFDL_TRY(nodes->tell());
  return nodes;
}

Status DrainedNodes::set(const NodeId& node, bool drained) {
  return database_.transaction([&]() -> Status {
    TCFDL_TRY(database_.execute(drained ? "INSERT OR IGNORE INTO drained_nodes VALUES(?)"
                                        : "DELETE FROM drained_nodes WHERE node = ?",
                                {node.str()}));
    return tell();
  });
}

Status DrainedNodes::tell() {
  std::set<NodeId> nodes;
  TCFDL_TRY(database_.query("SELECT node FROM drained_nodes", {}, [&](const database::Row& row) -> Status {
    nodes.emplace(row.text(0));
    return {};
  }));
  instances_.set_drained(std::move(nodes));
  return {};
}

} // namespace tcfdl::node
