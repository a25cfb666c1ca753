// Frames of the camera, one at a time, to the classifier. Not compiled by edgevit: its syntax is checked.
import AVFoundation
import CoreImage
import Observation

@Observable
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    private(set) var picture: CGImage?
    private(set) var label = "starting"

    @ObservationIgnored private let session = AVCaptureSession()
    @ObservationIgnored private let queue = DispatchQueue(label: "frames")
    @ObservationIgnored private let context = CIContext()
    @ObservationIgnored private var classifier: Classifier?

    func start() async {
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            label = "no access to the camera"
            return
        }
        do {
            classifier = try Classifier()
            try connect()
        } catch {
            label = error.localizedDescription
            return
        }
        queue.async { self.session.startRunning() }
    }

    private func connect() throws {
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back) else {
            throw CocoaError(.featureUnsupported)
        }
        let output = AVCaptureVideoDataOutput()
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.beginConfiguration()
        session.addInput(try AVCaptureDeviceInput(device: device))
        session.addOutput(output)
        output.connection(with: .video)?.videoRotationAngle = 90
        session.commitConfiguration()
    }

    func captureOutput(_: AVCaptureOutput, didOutput frame: CMSampleBuffer, from _: AVCaptureConnection) {
        guard let pixels = CMSampleBufferGetImageBuffer(frame) else { return }
        let image = CIImage(cvPixelBuffer: pixels)
        guard let picture = context.createCGImage(image, from: image.extent) else { return }
        let seen: String
        do {
            seen = try classifier?.label(of: picture) ?? ""
        } catch {
            seen = error.localizedDescription
        }
        DispatchQueue.main.async {
            self.picture = picture
            self.label = seen
        }
    }
}
