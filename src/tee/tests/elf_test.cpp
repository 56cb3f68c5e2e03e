#include "tee/elf.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

namespace tcfdl::tee {
namespace {

/// A file whose only content is a dynamic section.
class Made {
public:
  Made() : bytes_(0x400) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    put(0, header);
    segments[0] = {.p_type = PT_LOAD,
                   .p_flags = 0,
                   .p_offset = 0x200,
                   .p_vaddr = 0x7200,
                   .p_paddr = 0,
                   .p_filesz = 0x200,
                   .p_memsz = 0x200,
                   .p_align = 0};
    segments[1] = {.p_type = PT_DYNAMIC,
                   .p_flags = 0,
                   .p_offset = 0x100,
                   .p_vaddr = 0,
                   .p_paddr = 0,
                   .p_filesz = 0x100,
                   .p_memsz = 0x100,
                   .p_align = 0};
    constexpr std::string_view kStrings("\0liba.so.1\0libb.so\0$ORIGIN/../lib:/opt/lib\0old", 47);
    std::ranges::copy(kStrings, bytes_.begin() + 0x200);
    entries = {{DT_NEEDED, {1}}, {DT_NEEDED, {11}}, {DT_RUNPATH, {19}}, {DT_STRTAB, {0x7200}}, {DT_STRSZ, {48}}};
  }

  Result<ElfNeeds> read() {
    put(sizeof(Elf64_Ehdr), segments);
    for (std::size_t i = 0; i < entries.size(); ++i) put(0x100 + i * sizeof(Elf64_Dyn), entries[i]);
    return read_elf_needs(bytes_);
  }
  template <class T> void put(std::size_t at, const T& object) { std::memcpy(bytes_.data() + at, &object, sizeof(T)); }
  [[nodiscard]] Bytes& bytes() { return bytes_; }

  std::array<Elf64_Phdr, 2> segments{};
  std::vector<Elf64_Dyn> entries;

private:
  Bytes bytes_;
};

TEST(Elf, ReadsLibrariesAndSearchPaths) {
  Made made;
  const auto needs = made.read();
  ASSERT_TRUE(needs) << needs.error().to_string();
  EXPECT_EQ(needs->libraries, (std::vector<std::string>{"liba.so.1", "libb.so"}));
  EXPECT_EQ(needs->search_paths, (std::vector<std::string>{"$ORIGIN/../lib", "/opt/lib"}));
}

TEST(Elf, RunpathGoesBeforeRpath) {
  Made made;
  made.entries.push_back({DT_RPATH, {43}});
  EXPECT_EQ(made.read()->search_paths.size(), 2U);
  made.entries[2].d_tag = DT_DEBUG;
  EXPECT_EQ(made.read()->search_paths, std::vector<std::string>{"old"});
}

TEST(Elf, RefusesTablesOutsideTheFile) {
  const auto refused = [](auto bend) {
    Made made;
    bend(made);
    const auto needs = made.read();
    return !needs && needs.error().code() == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](Made& m) { m.entries[0].d_un.d_val = 48; }));
  EXPECT_TRUE(refused([](Made& m) { m.entries[3].d_un.d_ptr = 0x7400; }));
  EXPECT_TRUE(refused([](Made& m) { m.entries[3].d_un.d_ptr = 0; }));
  EXPECT_TRUE(refused([](Made& m) { m.segments[0].p_offset = ~0ULL; }));
  EXPECT_TRUE(refused([](Made& m) { m.segments[1].p_offset = 0x3F8; }));
  EXPECT_TRUE(refused([](Made& m) { m.entries[4].d_un.d_val = 5; })) << "a text without an end";
  EXPECT_TRUE(refused([](Made& m) { m.bytes()[EI_CLASS] = ELFCLASS32; }));
  EXPECT_TRUE(refused([](Made& m) { m.bytes()[0] = 0; }));
  EXPECT_FALSE(read_elf_needs({}));
  EXPECT_FALSE(read_elf_needs(as_bytes("#!/bin/sh\n")));
}

TEST(Elf, FindsTheLibrariesOfThisTestAndTheirs) {
  const auto libraries = find_libraries("/proc/self/exe", default_library_directories());
  ASSERT_TRUE(libraries) << libraries.error().to_string();
  const auto has = [&](const std::string& name) {
    return std::ranges::any_of(*libraries, [&](const auto& path) { return path.filename() == name; });
  };
  EXPECT_TRUE(has("libc.so.6"));
  EXPECT_TRUE(has("libcrypto.so.3"));
  EXPECT_TRUE(has("ld-linux-x86-64.so.2")) << "libc needs it";
}

TEST(Elf, NamesALibraryThatIsNowhereAndWhoNeedsIt) {
  const TemporaryDirectory directory;
  Made made;
  ASSERT_TRUE(made.read());
  const auto program = directory.path() / "bin/program";
  std::filesystem::create_directories(directory.path() / "bin");
  std::filesystem::create_directories(directory.path() / "lib");
  ASSERT_TRUE(write_file(program, made.bytes()));
  made.entries[0].d_tag = made.entries[1].d_tag = DT_DEBUG;
  ASSERT_TRUE(made.read());
  ASSERT_TRUE(write_file(directory.path() / "lib/liba.so.1", made.bytes()));
  const auto missing = find_libraries(program, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  EXPECT_NE(missing.error().message().find("libb.so"), std::string::npos);
  ASSERT_TRUE(write_file(directory.path() / "libb.so", made.bytes()));
  const auto found = find_libraries(program, {directory.path()});
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(*found,
            (std::vector<std::filesystem::path>{directory.path() / "lib/liba.so.1", directory.path() / "libb.so"}));
}

} // namespace
} // namespace tcfdl::tee
