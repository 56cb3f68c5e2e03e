// The daemons: each reads its configuration file, runs until SIGTERM or SIGINT and returns the exit code for main.
#pragma once

#include <string>

namespace tcfdl::node {

int run_service_manager(const std::string& config);
int run_master(const std::string& config);
int run_worker(const std::string& config);

} // namespace tcfdl::node
