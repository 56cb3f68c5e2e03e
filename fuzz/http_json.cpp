// The JSON reader: never crashes, keeps its limits, and reads back what it wrote.
#include "http/json.hpp"

#include <cstdlib>

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read_object(const nlohmann::json& document) {
  auto object = tcfdl::http::JsonObject::of(document, "body");
  if (!object) return;
  (void)object->text("a");
  (void)object->integer("b", 0, 9);
  (void)object->texts("c");
  (void)object->text_map("d");
  for (auto& nested : object->objects("e")) (void)nested.finish();
  if (auto nested = object->object("f")) (void)nested->finish();
  (void)object->number_or("g", 0, 0, 1);
  (void)object->finish();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tcfdl::http::JsonLimits limits{.depth = 16, .size = 4096};
  const auto document = tcfdl::http::parse_json({data, size}, limits);
  if (!document) return 0;
  require(size <= limits.size);
  read_object(*document);
  const auto text = tcfdl::http::dump_json(*document);
  const auto again = tcfdl::http::parse_json(tcfdl::as_bytes(text), {.depth = limits.depth, .size = text.size()});
  require(again.has_value() && *again == *document);
  return 0;
}
