#include "tee/elf.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <elf.h>
#include <optional>
#include <set>

namespace tcfdl::tee {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 30U;
constexpr std::size_t kMostLibraries = 512;

Error malformed(std::string_view what) {
  return make_error(Code::kInvalidArgument, "this is no ELF file that can be read: {}", what);
}

/// An object at an offset, if it lies within the file.
template <class T> std::optional<T> object_at(BytesView file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return std::nullopt;
  T object;
  std::memcpy(&object, file.data() + offset, sizeof(T));
  return object;
}

class ElfFile {
public:
  explicit ElfFile(BytesView file) : file_(file) {}

  Result<ElfNeeds> read() {
    TCFDL_TRY(read_headers());
    if (dynamic_ == nullptr) return ElfNeeds();
    TCFDL_TRY(read_dynamic());
    if (needed_.empty()) return ElfNeeds();
    ElfNeeds needs;
    for (const auto at : needed_) {
      TCFDL_ASSIGN(auto name, text(at));
      if (name.empty()) return malformed("a library without a name");
      needs.libraries.push_back(std::move(name));
    }
    if (!path_) return needs;
    TCFDL_ASSIGN(const auto path, text(*path_));
    for (std::size_t begin = 0; begin <= path.size();) {
      const auto end = std::min(path.find(':', begin), path.size());
      if (end > begin) needs.search_paths.push_back(path.substr(begin, end - begin));
      begin = end + 1;
    }
    return needs;
  }

private:
  Status read_headers() {
    const auto header = object_at<Elf64_Ehdr>(file_, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return malformed("another magic number");
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
      return malformed("it is not of 64 bits, little endian");
    }
    if (header->e_phentsize != sizeof(Elf64_Phdr)) return malformed("program headers of another size");
    for (unsigned i = 0; i < header->e_phnum; ++i) {
      const auto segment = object_at<Elf64_Phdr>(file_, header->e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) return malformed("program headers outside the file");
      segments_.push_back(*segment);
    }
    const auto dynamic = std::ranges::find(segments_, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type);
    if (dynamic != segments_.end()) dynamic_ = &*dynamic;
    return {};
  }

  Status read_dynamic() {
    std::optional<std::uint64_t> rpath;
    std::optional<std::uint64_t> runpath;
    std::optional<std::uint64_t> strings;
    for (std::uint64_t at = 0; at < dynamic_->p_filesz; at += sizeof(Elf64_Dyn)) {
      const auto entry = object_at<Elf64_Dyn>(file_, dynamic_->p_offset + at);
      if (!entry) return malformed("a dynamic section outside the file");
      if (entry->d_tag == DT_NULL) break;
      if (entry->d_tag == DT_NEEDED) needed_.push_back(entry->d_un.d_val);
      if (entry->d_tag == DT_RPATH) rpath = entry->d_un.d_val;
      if (entry->d_tag == DT_RUNPATH) runpath = entry->d_un.d_val;
      if (entry->d_tag == DT_STRTAB) strings = entry->d_un.d_val;
      if (entry->d_tag == DT_STRSZ) string_size_ = entry->d_un.d_val;
      if (needed_.size() > kMostLibraries) return malformed("too many libraries");
    }
    path_ = runpath ? runpath : rpath;
    return strings ? locate_strings(*strings) : Status();
  }

  /// The string table's place in the file, from its place in memory.
  Status locate_strings(std::uint64_t address) {
    for (const auto& segment : segments_) {
      if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
      const auto within = address - segment.p_vaddr;
      if (within >= segment.p_filesz || segment.p_offset > file_.size()) continue;
      if (within > file_.size() - segment.p_offset) continue;
      const auto place = file_.subspan(segment.p_offset + within);
      strings_ = as_text(place.first(std::min<std::uint64_t>(string_size_, place.size())));
      return {};
    }
    return malformed("a string table outside the file");
  }

  [[nodiscard]] Result<std::string> text(std::uint64_t at) const {
    if (at >= strings_.size()) return malformed("a text outside the string table");
    const auto rest = strings_.substr(at);
    const auto end = rest.find('\0');
    if (end == std::string_view::npos) return malformed("a text without an end");
    return std::string(rest.substr(0, end));
  }

  BytesView file_;
  std::vector<Elf64_Phdr> segments_;
  const Elf64_Phdr* dynamic_ = nullptr;
  std::vector<std::uint64_t> needed_;
  std::optional<std::uint64_t> path_;
  std::uint64_t string_size_ = 0;
  std::string_view strings_;
};

std::filesystem::path expand_origin(std::string path, const std::filesystem::path& file) {
  for (const std::string_view word : {"${ORIGIN}", "$ORIGIN"}) {
    if (path.starts_with(word)) return file.parent_path() / ("." + path.substr(word.size()));
  }
  return path;
}

std::optional<std::filesystem::path> find_library(const std::string& name, const ElfNeeds& needs,
                                                  const std::filesystem::path& file,
                                                  const std::vector<std::filesystem::path>& directories) {
  std::error_code ignored;
  if (name.find('/') != std::string::npos) {
    return std::filesystem::is_regular_file(name, ignored) ? std::optional(std::filesystem::path(name)) : std::nullopt;
  }
  std::vector<std::filesystem::path> places;
  for (const auto& path : needs.search_paths) places.push_back(expand_origin(path, file));
  places.insert(places.end(), directories.begin(), directories.end());
  for (const auto& place : places) {
    auto candidate = (place / name).lexically_normal();
    if (std::filesystem::is_regular_file(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

} // namespace

Result<ElfNeeds> read_elf_needs(BytesView file) { return ElfFile(file).read(); }

std::vector<std::filesystem::path> default_library_directories() {
  std::vector<std::filesystem::path> directories;
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/etc/ld.so.conf.d", ignored)) files.push_back(entry);
  std::ranges::sort(files);
  for (const auto& file : files) {
    const auto text = read_text_file(file, std::size_t{64} << 10U);
    if (!text) continue;
    for (std::size_t begin = 0; begin < text->size();) {
      const auto end = std::min(text->find('\n', begin), text->size());
      if ((*text)[begin] == '/') directories.emplace_back(text->substr(begin, end - begin));
      begin = end + 1;
    }
  }
  for (const auto* usual : {"/lib64", "/usr/lib64", "/lib", "/usr/lib"}) directories.emplace_back(usual);
  return directories;
}

Result<std::vector<std::filesystem::path>> find_libraries(const std::filesystem::path& program,
                                                          const std::vector<std::filesystem::path>& directories) {
  std::vector<std::filesystem::path> found;
  std::set<std::string> known;
  std::deque<std::filesystem::path> unread{program};
  for (; !unread.empty(); unread.pop_front()) {
    const auto& file = unread.front();
    TCFDL_ASSIGN(const auto content, read_file(file, kLargestFile));
    const auto needs = read_elf_needs(content);
    if (!needs) return needs.error().within(file.string());
    for (const auto& name : needs->libraries) {
      if (!known.insert(name).second) continue;
      const auto library = find_library(name, *needs, file, directories);
      if (!library) return make_error(Code::kNotFound, "{} needs {}, which is nowhere", file.string(), name);
      if (found.size() == kMostLibraries)
        return make_error(Code::kInvalidArgument, "more than {} libraries", kMostLibraries);
      found.push_back(*library);
      unread.push_back(*library);
    }
  }
  return found;
}

} // namespace tcfdl::tee
