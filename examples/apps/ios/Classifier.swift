// A picture to a label, by the Call.swift of an export. Not compiled by edgevit: its syntax is checked.
import CoreGraphics
import Foundation

final class Classifier {
    /// The size that Call.swift names in its comment on pictures.
    static let side = 224

    private let call: Call
    private let labels: [String]

    init() throws {
        call = try Call()
        guard let url = Bundle.main.url(forResource: "labels", withExtension: "txt") else {
            throw CocoaError(.fileNoSuchFile)
        }
        labels = try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    func label(of picture: CGImage) throws -> String {
        let scores = try call(Call.prepare(Classifier.pixels(of: picture)))
        guard let best = scores.indices.max(by: { scores[$0] < scores[$1] }) else { return "" }
        return best < labels.count ? labels[best] : "class \(best)"
    }

    /// The middle square of the picture, scaled: bytes of red, green and blue, row by row.
    static func pixels(of picture: CGImage) -> [UInt8] {
        let count = side * side
        var rgba = [UInt8](repeating: 0, count: 4 * count)
        let scale = CGFloat(side) / CGFloat(min(picture.width, picture.height))
        let size = CGSize(width: CGFloat(picture.width) * scale, height: CGFloat(picture.height) * scale)
        let corner = CGPoint(x: (CGFloat(side) - size.width) / 2, y: (CGFloat(side) - size.height) / 2)
        rgba.withUnsafeMutableBytes { bytes in
            let context = CGContext(
                data: bytes.baseAddress, width: side, height: side, bitsPerComponent: 8, bytesPerRow: 4 * side,
                space: CGColorSpaceCreateDeviceRGB(), bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue
            )
            context?.interpolationQuality = .high
            context?.draw(picture, in: CGRect(origin: corner, size: size))
        }
        return (0..<count).flatMap { rgba[(4 * $0)..<(4 * $0 + 3)] }
    }
}
