// A function with a confidential file: a word's line in a table that only this function's instances can read.
#include <cstdio>
#include <fstream>
#include <map>
#include <tcfdl/function.hpp>

int main() {
  // The table is read before anything is served, so its file has to be open by then.
  const auto ready = tcfdl::prepare();
  if (!ready) {
    (void)std::fprintf(stderr, "%s\n", ready.error().to_string().c_str());
    return 1;
  }
  std::map<std::string, std::string> table;
  std::ifstream file("table.txt"); // the working directory is the bundle
  for (std::string word, meaning; file >> word && std::getline(file >> std::ws, meaning);) table[word] = meaning;

  return tcfdl::serve([&](tcfdl::TaskContext&, tcfdl::BytesView body) -> tcfdl::Result<tcfdl::Bytes> {
    const auto found = table.find(std::string(tcfdl::as_text(body)));
    if (found == table.end()) return tcfdl::Error(tcfdl::Code::kNotFound, "the table has no such word");
    return tcfdl::to_bytes(found->second);
  });
}
