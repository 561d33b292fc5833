#pragma once

// Catch2 v3 where it can be had, v2 elsewhere: the parts that tests use are spelled alike. Of v3
// only those parts: its header of everything takes as long to compile as a test.
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
