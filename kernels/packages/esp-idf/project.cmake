# SPDX-License-Identifier: Apache-2.0
# idf.py set-target esp32c3 && idf.py flash monitor
cmake_minimum_required(VERSION 3.16)
set(EXTRA_COMPONENT_DIRS ../..)
include($ENV{IDF_PATH}/tools/cmake/project.cmake)
project(selftest)
