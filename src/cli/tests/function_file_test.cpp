#include "cli/function_file.hpp"

#include <gtest/gtest.h>

namespace tcfdl::cli {
namespace {

const FunctionPlace kPlace{"/functions/f.yaml", "/programs"};

constexpr auto kSmall = "name: plates/read\n"
                        "command: [bin/plates]\n"
                        "files:\n"
                        "  - {source: build/plates, path: bin/plates}\n";

std::string refusal(const std::string& text) {
  const auto function = parse_function_file(text, kPlace);
  return function ? std::string("accepted") : function.error().message();
}

TEST(FunctionFile, HasDefaults) {
  const auto function = parse_function_file(kSmall, kPlace);
  ASSERT_TRUE(function) << function.error().message();
  EXPECT_EQ(function->name, "plates/read");
  EXPECT_EQ(function->version, 0U);
  EXPECT_EQ(function->files.front().source, "/functions/build/plates");
  EXPECT_TRUE(function->files.front().executable);
  EXPECT_EQ(function->concurrency, 1U);
  EXPECT_EQ(function->scale_min, 1U);
  EXPECT_EQ(function->scale_max, 1U);
  EXPECT_FALSE(function->idempotent);
  EXPECT_EQ(function->protections, std::vector<std::string>{"eae"});
  EXPECT_EQ(function->tee_kinds, std::vector<std::string>{"software"});
  EXPECT_EQ(function->providers, std::vector<std::string>{"*"});
  EXPECT_EQ(function->logs, wire::LogPolicy::kHost);
  EXPECT_EQ(function->queue_limit, 1000U);
}

TEST(FunctionFile, ReadsEveryKey) {
  const auto function =
      parse_function_file(std::string(kSmall) + "version: 7\n"
                                                "env: {B: '2', A: '1'}\n"
                                                "concurrency: 4\n"
                                                "scale: {min: 0, max: 3}\n"
                                                "resources: {memory: 512MiB, millicores: 500, most_millicores: 500, "
                                                "processes: 16}\n"
                                                "idempotent: true\n"
                                                "protection: [eae, none]\n"
                                                "tee: [software]\n"
                                                "labels: {zone: a}\n"
                                                "logs: none\n"
                                                "queue_limit: 10\n"
                                                "max_body: 4MiB\n"
                                                "providers: [roadside]\n",
                          kPlace);
  ASSERT_TRUE(function) << function.error().message();
  EXPECT_EQ(function->version, 7U);
  EXPECT_EQ(function->environment.front().first, "A");
  EXPECT_EQ(function->scale_min, 0U);
  EXPECT_EQ(function->scale_max, 3U);
  EXPECT_EQ(function->memory, "512MiB");
  EXPECT_EQ(function->logs, wire::LogPolicy::kNone);
  EXPECT_EQ(function->max_body, 4ULL << 20U);
  EXPECT_EQ(function->providers, std::vector<std::string>{"roadside"});
  EXPECT_EQ(function->labels.front().second, "a");
}

TEST(FunctionFile, AddsTcfdlExecFromTheInstallation) {
  const auto function = parse_function_file("name: a\ncommand: [tcfdl-exec, --, bin/x]\n", kPlace);
  ASSERT_TRUE(function) << function.error().message();
  EXPECT_EQ(function->command.front(), "bin/tcfdl-exec");
  ASSERT_EQ(function->files.size(), 1U);
  EXPECT_EQ(function->files.front().source, "/programs/tcfdl-exec");
  EXPECT_EQ(function->files.front().path, "bin/tcfdl-exec");
  EXPECT_TRUE(function->files.front().executable);
}

TEST(FunctionFile, MarksConfidentialFilesWhichAreData) {
  const auto function =
      parse_function_file(std::string(kSmall) + "  - {source: /bin/true, path: m, confidential: true}\n", kPlace);
  ASSERT_TRUE(function) << function.error().message();
  EXPECT_FALSE(function->files.front().confidential);
  EXPECT_TRUE(function->files.back().confidential);
  EXPECT_FALSE(function->files.back().executable) << "whatever the source's mode says";
}

TEST(FunctionFile, RefusesWrongValuesWithLineAndRemedy) {
  const std::string small = kSmall;
  const std::pair<std::string, std::string> cases[] = {
      {"command: [x]\n", "/functions/f.yaml:1: 'name' is missing"},
      {"name: UP\ncommand: [x]\n", "/functions/f.yaml:1: 'name': function name 'UP'"},
      {"name: a\n", "/functions/f.yaml:1: 'command': is missing; name a program of 'files'"},
      {"name: a\ncommand: [bin/x]\n", "/functions/f.yaml:2: 'command': 'bin/x' is no path of 'files'; add it there"},
      {small + "  - {path: y}\n", "/functions/f.yaml:5: files[1]: 'source' is missing"},
      {small + "  - {source: y, mode: '0777'}\n", "/functions/f.yaml:5: files[1]: 'mode': '0777' is neither 0755"},
      {small + "  - {source: y, mode: '0755', confidential: true}\n",
       "/functions/f.yaml:5: files[1]: 'mode': what is confidential is data"},
      {"name: a\ncommand: [x]\nfiles:\n  - {source: x, confidential: true}\n",
       "/functions/f.yaml:2: 'command': 'x' cannot be confidential"},
      {small + "scale: {min: 3, max: 2}\n", "/functions/f.yaml:5: scale: 'max': is less than min, 3"},
      {small + "scale: {min: -1}\n", "/functions/f.yaml:5: scale: 'min': '-1' is no whole number"},
      {small + "resources: {memory: 512}\n",
       "/functions/f.yaml:5: resources: 'memory': '512' is no whole number with a unit"},
      {small + "resources: {processes: 15}\n",
       "/functions/f.yaml:5: resources: 'processes': '15' is no whole number from 16"},
      {small + "resources: {millicores: 9, most_millicores: 8}\n",
       "/functions/f.yaml:5: resources: 'most_millicores': '8' is no whole number from 9"},
      {small + "concurrency: 0\n", "/functions/f.yaml:5: 'concurrency': '0' is no whole number from 1"},
      {small + "idempotent: yes\n", "/functions/f.yaml:5: 'idempotent': 'yes' is neither true nor false"},
      {small + "protection: [tls]\n", "/functions/f.yaml:5: 'protection': 'tls' is none of eae, hse, none"},
      {small + "tee: [sgx2]\n", "/functions/f.yaml:5: 'tee': 'sgx2' is none of software"},
      {small + "logs: file\n", "/functions/f.yaml:5: 'logs': 'file' is neither host nor none"},
      {small + "max_body: 2GiB\n", "/functions/f.yaml:5: 'max_body': is more than"},
      {small + "providers: [A]\n", "/functions/f.yaml:5: 'providers': cluster 'A'"},
      {small + "version: 0\n", "/functions/f.yaml:5: 'version': '0' is no whole number from 1"},
      {small + "enviroment: {}\n", "/functions/f.yaml: unknown key 'enviroment' in line 5"},
      {"name: [a\n", "/functions/f.yaml:2: no valid YAML"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(refusal(text).substr(0, message.size()), message) << refusal(text);
  }
}

} // namespace
} // namespace tcfdl::cli
