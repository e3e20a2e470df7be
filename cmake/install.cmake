# The engine as others use it: libmapflow with its headers, CMake package and pkg-config file, the program, and a Debian
# package of all that (`cpack -G DEB`).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # installing and packaging need `installable`, not the tests

# One shared library of all folders that a program may embed. What it exports, mapflow.map says.
set(folders base value jinja model builder kernel steps fluent persistence engine agents mapflow)
list(TRANSFORM folders PREPEND mapflow_ OUTPUT_VARIABLE folder_libraries)
list(TRANSFORM folder_libraries REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE folder_objects)
add_library(mapflow_shared SHARED ${folder_objects})
target_link_libraries(mapflow_shared PRIVATE ${folder_libraries})
target_link_options(mapflow_shared PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/mapflow.map)
target_include_directories(mapflow_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(mapflow_shared INTERFACE cxx_std_23)
set_target_properties(mapflow_shared PROPERTIES
  OUTPUT_NAME mapflow EXPORT_NAME mapflow LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/mapflow.map)

# Headers: mapflow.h and what it includes, so that nothing else can be relied upon.
set(public_headers ${PROJECT_BINARY_DIR}/include)
add_custom_target(public_headers ALL
  COMMAND Python3::Interpreter -B ${PROJECT_SOURCE_DIR}/tools/public_headers.py ${PROJECT_SOURCE_DIR}/src ${public_headers}
  COMMENT "Collecting the public headers")

# The build folder of `make install` and of the package: the program, the library, the headers.
add_custom_target(installable DEPENDS mapflow mapflow_shared public_headers)

install(TARGETS mapflow RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS mapflow_shared EXPORT mapflow LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${public_headers}/mapflow DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT mapflow NAMESPACE mapflow:: FILE mapflowConfig.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mapflow)
write_basic_package_version_file(mapflowConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mapflowConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mapflow)
# The file finds the folders from where it lies itself, so an installed copy may be moved.
file(RELATIVE_PATH to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/mapflow.pc.in mapflow.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mapflow.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_PACKAGE_NAME mapflow)
set(CPACK_PACKAGE_VENDOR "The mapflow authors")
set(CPACK_PACKAGE_CONTACT "The mapflow authors <mapflow@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS python3)  # the stand-in agents of `mapflow new` are Python
include(CPack)
