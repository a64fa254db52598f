// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "python-bridge",
    products: [
        .library(name: "PythonBridge", targets: ["PythonBridge"]),
        .library(name: "PythonWorkers", targets: ["PythonWorkers"]),
        .library(name: "Outliers", targets: ["Outliers"]),
        .library(name: "OutliersNative", type: .dynamic, targets: ["OutliersNative"]),
        .executable(name: "outliers", targets: ["OutliersCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2"),
        .package(url: "https://github.com/apple/swift-system.git", from: "1.8.1"),
    ],
    targets: [
        // The libpython to link is the one that `pkg-config python3-embed` names; PKG_CONFIG_PATH chooses another.
        .systemLibrary(name: "CPython", pkgConfig: "python3-embed", providers: [.apt(["libpython3-dev"])]),
        .target(name: "CShim", dependencies: ["CPython"], path: "CShim"),
        .target(name: "PythonBridge", dependencies: ["CShim"]),
        .target(
            name: "PythonWorkers",
            dependencies: [
                "PythonBridge",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            resources: [.embedInCode("worker.py")]
        ),
        .target(name: "CSearch"),
        .target(name: "OutlierDetection", dependencies: ["CSearch"]),
        .target(name: "Outliers", dependencies: ["OutlierDetection", "PythonBridge", "PythonWorkers"]),
        // What Python loads, which has a libpython already: nothing here depends on one. It has the Swift runtime in it, hidden, so
        // that it runs where Swift is not installed, and beside another runtime.
        .target(
            name: "OutliersNative", dependencies: ["OutlierDetection"],
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-Xlinker", "--exclude-libs", "-Xlinker", "ALL"])]
        ),
        .executableTarget(
            name: "OutliersCommand",
            dependencies: [
                "Outliers", "PythonBridge", "PythonWorkers",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "PythonBridgeTests",
            dependencies: ["PythonBridge", .product(name: "Subprocess", package: "swift-subprocess")]
        ),
        .testTarget(
            name: "PythonWorkersTests",
            dependencies: ["PythonWorkers", "PythonBridge", .product(name: "Logging", package: "swift-log")]
        ),
        .testTarget(
            name: "OutliersTests",
            dependencies: ["CSearch", "OutlierDetection", "Outliers", "PythonBridge", "PythonWorkers"]
        ),
        .testTarget(
            name: "OutliersCommandTests",
            dependencies: ["OutliersCommand", .product(name: "Subprocess", package: "swift-subprocess")]
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)

let settings: [SwiftSetting] = [
    .strictMemorySafety(),  // every unsafe expression says so
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),  // `any` shows where a call goes through a box
    .enableUpcomingFeature("InternalImportsByDefault"),  // CShim stays invisible above PythonBridge
    .enableUpcomingFeature("MemberImportVisibility"),  // a member is used only where its module is imported
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // an async function runs where its caller runs
    .enableExperimentalFeature("Lifetimes"),  // a lend cannot outlive the array it was made from
]
for target in package.targets where target.type != .system && !["CShim", "CSearch"].contains(target.name) {
    target.swiftSettings = settings
}

// The documentation plugin is for `make docs` alone: users of the package never resolve it.
if Context.environment["PYTHON_BRIDGE_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin.git", from: "1.5.0"))
}
